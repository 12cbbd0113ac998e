// Runs of encoders: they learn with their heads, every preset and adapters, as the memory plan says, and they
// resume to the bit.
#include <gtest/gtest.h>

#include <set>

#include "checkpoint/hugging_face.h"
#include "checkpoint/safetensors.h"
#include "encoder_run.h"
#include "optim/presets.h"
#include "tasks/task.h"
#include "train/inputs.h"

namespace galore {
namespace {

TEST_F(EncoderRun, TrainsAClassifierWithEveryPreset) {
  for (const Preset& preset : presets()) {
    SCOPED_TRACE(preset.name);
    const TrainResult result =
        train(classifier({"optim=" + std::string(preset.name), "optim_args=", "max_steps=1", output("preset"),
                          "overwrite_output_dir=true"}));
    EXPECT_TRUE(std::isfinite(result.last_loss));
  }
}

TEST_F(EncoderRun, ClassifierSavesAndLoadsItsPredictions) {
  const std::string rows = "eval_file=" + (folder_ / "pairs.jsonl").string();
  const TrainResult first =
      train(classifier({"optim=adamw_torch", "optim_args=", "max_steps=250", rows, output("one")}));
  const auto config = nlohmann::json::parse(file_text(folder_ / "one" / "config.json"));
  EXPECT_EQ(config["architectures"], nlohmann::json({"BertForSequenceClassification"}));
  const TrainResult again =
      train({"model_name_or_path=" + (folder_ / "one").string(), "config_name=", "optim=adamw_torch",
             "optim_args=", "train_file=" + (folder_ / "pairs.jsonl").string(), rows, "max_length=24",
             "max_steps=0", output("again")});
  EXPECT_EQ(again.evaluation->value("eval_loss"), first.evaluation->value("eval_loss"));
  EXPECT_LT(first.evaluation->value("eval_loss"), 0.3);  // chance gives log 2 = 0.693
}

TEST_F(EncoderRun, MaskedModelLearnsAndItsFolderGetsAClassifier) {
  const std::string rows = "eval_file=" + (folder_ / "texts.jsonl").string();
  const TrainResult result =
      train(masked({"optim=adamw_torch", "optim_args=", "max_steps=150", rows, output("words")}));
  // A uniform guess costs log 64 = 4.16. The tokens follow each other by a rule in nine of ten cases.
  EXPECT_LT(result.evaluation->value("eval_loss"), 3.6);
  EXPECT_TRUE(contains(file_text(folder_ / "words" / "config.json"), "BertForMaskedLM"));
  train({"model_name_or_path=" + (folder_ / "words").string(), "config_name=", "optim=adamw_torch",
         "optim_args=", "task=sequence_classification", "train_file=" + (folder_ / "pairs.jsonl").string(),
         "max_length=24", "max_steps=1", output("tuned")});
  EXPECT_TRUE(contains(log_, "which is new: bert.pooler.dense.bias")) << log_;
  EXPECT_EQ(read_model_config(folder_ / "tuned").head.kind, HeadKind::classification);
}

TEST_F(EncoderRun, ResumesToTheBit) {
  for (const bool words : {true, false}) {
    const auto run = [&](const std::string& name, const Settings& more) {
      const Settings all = joined({"optim=galore_adamw", "save_steps=3", "max_steps=6", output(name)}, more);
      train(words ? masked(all) : classifier(all));
      return weights(name);
    };
    const std::string kind = words ? "masked" : "classes";
    const std::string whole = run(kind, {});
    const Path checkpoint = folder_ / kind / "checkpoint-3";
    EXPECT_TRUE(run(kind + "_resumed", {"resume_from_checkpoint=" + checkpoint.string()}) == whole);
  }
}

// With one example for each batch no examples share a row. Weights move by more than 1e-3, and roundings stay
// below a hundredth of that.
TEST_F(EncoderRun, SharedRowsTrainAsRowsOfOneExample) {
  write_file_atomically(folder_ / "bert.json",
                        std::string(kTinyBert, std::string_view(kTinyBert).size() - 1) +
                            R"(, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0})");
  std::string rows;
  for (int i = 0; i < 72; ++i) {
    std::string text = "w" + std::to_string(5 + i % 40);
    for (int word = 0; word < 5 * i % 9; ++word) text += " w" + std::to_string(10 + word);
    rows += nlohmann::json({{"sentence1", text}, {"sentence2", "w7"}, {"label", i % 2}}).dump() + "\n";
  }
  write_file_atomically(folder_ / "lengths.jsonl", rows);
  const Settings common{"optim=sgd",
                        "optim_args=",
                        "learning_rate=0.5",
                        "max_steps=6",
                        "train_sampling_strategy=sequential",
                        "train_file=" + (folder_ / "lengths.jsonl").string()};
  train(joined(classifier(common), {"max_steps=1", output("start")}));
  train(joined(classifier(common), {"per_device_train_batch_size=12", output("shared")}));
  train(joined(classifier(common),
               {"per_device_train_batch_size=1", "gradient_accumulation_steps=12", output("single")}));
  EXPECT_LT(difference("shared", "single"), 1e-5);
  EXPECT_NE(weights("shared"), weights("single")) << "expected other roundings, because rows are shared";
  EXPECT_GT(difference("shared", "start"), 1e-3);
}

TEST_F(EncoderRun, RecomputesActivationsToTheBit) {
  for (const bool words : {true, false}) {
    std::string kept;
    for (const std::string recompute : {"false", "true"}) {
      const Settings more{"optim=adamw_torch",
                          "optim_args=",
                          "max_steps=3",
                          "gradient_checkpointing=" + recompute,
                          output("run_" + recompute),
                          "overwrite_output_dir=true"};
      train(words ? masked(more) : classifier(more));
      if (recompute == "false") kept = weights("run_false");
    }
    EXPECT_TRUE(weights("run_true") == kept);
  }
}

TEST_F(EncoderRun, PlansTheMemoryOfAClassifier) {
  TrainOptions options;
  OptionTable table;
  // The gradients of the last layer have the rank of the rows, which is enough for the basis.
  resolve_settings(classifier({"optim=galore_adamw", "optim_args=rank=2,update_proj_gap=4"}), options, table);
  const ModelConfig config = model_config_of(options);
  const MemoryPlan plan = plan_memory(config, model_options(options), options.optimizer,
                                      {4, 4, 24, 1, "sequence_classification", ""});
  RunObjects run = build_model(config, model_options(options), at::kCPU);
  set_weights(*run.model, options, options.seed);
  run.model->set_dropout({});
  add_optimizer(run, options.optimizer);
  const Batch batch =
      find_task("sequence_classification").batch_of(at::arange(96, at::kLong).remainder(60).view({4, 24}));
  for (int update = 0; update < 5; ++update) {
    run.optimizer->begin_update(0.01, 1);
    run.model->train_step(batch, 0.25);
    run.optimizer->finish_update();
  }
  run.model->evaluate(batch);
  for (int i = 0; i < kNumOwners; ++i) {
    const Owner owner = static_cast<Owner>(i);
    // A plan counts the upper bound of the needs of orthonormalization: 64 bytes for each row of the longest
    // matrix, which has 48 rows.
    const int64_t planned = plan.bytes[static_cast<size_t>(i)], taken = run.ledger->bytes(owner);
    EXPECT_TRUE(taken <= planned && planned <= taken + (owner == Owner::workspace ? 64 * 48 : 0))
        << owner_name(owner) << ": planned " << planned << ", taken " << taken;
  }
}

TEST_F(EncoderRun, TrainsAdapters) {
  for (const std::string adapter : {"lora", "dora"}) {
    train(classifier({"optim=adamw_torch", "optim_args=", "max_steps=1", output("base_" + adapter)}));
    const std::string base = (folder_ / ("base_" + adapter)).string();
    train({"model_name_or_path=" + base, "config_name=", "optim=adamw_torch", "optim_args=",
           "adapter=" + adapter, R"(adapter_args={"r": 4, "target_modules": ["query", "value"]})",
           "train_file=" + (folder_ / "pairs.jsonl").string(), "max_length=24", "max_steps=2",
           output(adapter)});
    const SafetensorsReader saved(folder_ / adapter / "adapter_model.safetensors");
    std::set<std::string> names;
    for (const TensorInfo& info : saved.tensors()) names.insert(info.name);
    EXPECT_TRUE(names.count("base_model.model.bert.encoder.layer.1.attention.self.query.lora_A.weight"));
    EXPECT_TRUE(names.count("base_model.model.classifier.weight"));
    EXPECT_TRUE(names.count("base_model.model.classifier.bias"));
    EXPECT_FALSE(names.count("base_model.model.bert.pooler.dense.weight"));
  }
}

// The model lacks the whole head, of which the pooler is drawn and not trained.
TEST_F(EncoderRun, AdaptersBringTheirHead) {
  train(masked({"optim=adamw_torch", "optim_args=", "max_steps=1", output("words")}));
  const Settings tuning{"model_name_or_path=" + (folder_ / "words").string(),
                        "config_name=",
                        "optim=adamw_torch",
                        "optim_args=",
                        "train_file=" + (folder_ / "pairs.jsonl").string(),
                        "eval_file=" + (folder_ / "pairs.jsonl").string(),
                        "max_length=24"};
  const TrainResult first =
      train(joined(tuning, {"task=sequence_classification", "adapter=lora", "adapter_args=r=2", "max_steps=2",
                            "seed=5", output("tuned")}));
  const TrainResult again = train(joined(
      tuning, {"adapter_name_or_path=" + (folder_ / "tuned").string(), "max_steps=0", output("again")}));
  EXPECT_EQ(again.evaluation->value("eval_loss"), first.evaluation->value("eval_loss"));
}

TEST_F(EncoderRun, EndsEarlyAndTakesTheDirectionOfTheMetric) {
  // With a rate of 0 no evaluation is better than the first one.
  const Settings settings = classifier({"optim=adamw_torch", "optim_args=", "learning_rate=0", "max_steps=20",
                                        "eval_file=" + (folder_ / "pairs.jsonl").string(), "eval_steps=2",
                                        "early_stopping_patience=3", output("early")});
  EXPECT_EQ(train(settings).steps, 8);
  EXPECT_TRUE(contains(log_, "early_stopping_patience=3 evaluations without a better eval_loss"));
  const auto best_with = [&](const std::string& greater) {
    return train(classifier({"optim=adamw_torch", "optim_args=", "max_steps=6", "eval_steps=2",
                             "eval_file=" + (folder_ / "pairs.jsonl").string(),
                             "greater_is_better=" + greater, output("greater_" + greater)}));
  };
  EXPECT_LE(*best_with("false").best_metric, *best_with("true").best_metric);
  EXPECT_NE(best_with("auto").best_step, best_with("true").best_step);
}

}  // namespace
}  // namespace galore
