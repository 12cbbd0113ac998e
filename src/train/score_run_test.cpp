// Runs of tasks whose head scores rows: they learn, resume to the bit, and their folders can be loaded.
#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/hugging_face.h"
#include "train/inputs.h"
#include "train/test_score_run.h"

namespace galore {
namespace {

TEST_F(ScoreRun, LearnsClassesAndSavesTheirNames) {
  const Settings settings =
      with({"task=sequence_classification", "train_file=" + classes("train.jsonl", 200),
            "eval_file=" + (folder_ / "train.jsonl").string(), "max_steps=200", output("run")});
  const TrainResult result = train(settings);
  // Half of the rows would be right by chance, and the last token decides the class.
  EXPECT_GT(value_of(result, "eval_accuracy"), 0.9);
  const ModelConfig saved = read_model_config(folder_ / "run");
  EXPECT_EQ(saved.head.kind, HeadKind::classification);
  EXPECT_EQ(saved.head.label_names, (std::vector<std::string>{"high", "low"}));
  const auto json = nlohmann::json::parse(file_text(folder_ / "run" / "config.json"));
  EXPECT_EQ(json["architectures"], nlohmann::json({"LlamaForSequenceClassification"}));
  EXPECT_EQ(json["label2id"], nlohmann::json({{"high", 0}, {"low", 1}}));

  // The saved model is its own task, and a further run starts from the same predictions.
  const TrainResult again =
      train({"model_name_or_path=" + (folder_ / "run").string(), "config_name=", "optim=adamw_torch",
             "optim_args=", "train_file=" + (folder_ / "train.jsonl").string(),
             "eval_file=" + (folder_ / "train.jsonl").string(), "max_steps=0", output("again")});
  EXPECT_EQ(value_of(again, "eval_loss"), value_of(result, "eval_loss"));
}

TEST_F(ScoreRun, GetsANewHeadFromALanguageModel) {
  train({"max_steps=2", output("base")});
  const Settings settings{
      "model_name_or_path=" + (folder_ / "base").string(),
      "config_name=",
      "task_name=stsb",
      "train_file=" + rows("scores.jsonl", 40, [](nlohmann::json& row) { row["label"] = 2.5; }),
      "max_steps=2",
      output("tuned")};
  train(settings);
  EXPECT_EQ(read_model_config(folder_ / "tuned").head.kind, HeadKind::regression);
  EXPECT_EQ(message_of([&] {
              train({"model_name_or_path=" + (folder_ / "tuned").string(), "config_name=", "task=causal_lm",
                     output("no")});
            }),
            "[task] expected sequence_classification, for which the model's head was made, given causal_lm");
}

TEST_F(ScoreRun, LearnsValuesWithEveryHead) {
  const auto add = [](nlohmann::json& row) { row["label"] = row["input_ids"].back().get<double>() / 64; };
  const std::string train_rows = rows("values.jsonl", 200, add);
  for (const char* head : {"mse", "two_hot", "hl_gauss", "c51", "quantile"}) {
    const std::string name = std::string("value_") + head;
    const TrainResult result = train(with(
        {"task=value", std::string("value_head=") + head, "value_head_args=v_min=-0.2,v_max=1.2,num_bins=21",
         "train_file=" + train_rows, "eval_file=" + train_rows, "max_steps=200", output(name)}));
    EXPECT_GT(value_of(result, "eval_pearson"), 0.8) << head;
    EXPECT_LT(value_of(result, "eval_mae"), 0.15) << head;
    const auto json = nlohmann::json::parse(file_text(folder_ / name / "config.json"));
    EXPECT_EQ(json["value_head"]["type"], head);
    const std::map<std::string, size_t> keys{
        {"mse", 1}, {"two_hot", 4}, {"hl_gauss", 5}, {"c51", 4}, {"quantile", 3}};
    EXPECT_EQ(json["value_head"].size(), keys.at(head));
    EXPECT_EQ(read_model_config(folder_ / name).head.num_outputs(), std::string(head) == "mse" ? 1 : 21);
  }
}

// With one example for each batch no examples share a row.
TEST_F(ScoreRun, SharedRowsTrainAsRowsOfOneExample) {
  const auto add = [](nlohmann::json& row) {
    for (const auto& id : row["input_ids"]) row["labels"].push_back(id.get<double>() / 64);
  };
  const Settings common =
      with({"task=value", "value_head=mse", "optim=sgd", "learning_rate=0.05", "max_steps=6",
            "train_file=" + rows("values.jsonl", 72, add), "train_sampling_strategy=sequential"});
  train(joined(common, {"per_device_train_batch_size=12", output("shared")}));
  train(
      joined(common, {"per_device_train_batch_size=1", "gradient_accumulation_steps=12", output("single")}));
  EXPECT_LT(difference("shared", "single"), 1e-5);
  EXPECT_NE(weights("shared"), weights("single")) << "expected other roundings, because rows are shared";
}

// Dynamic scaling rotates an example by the length of its row.
TEST_F(ScoreRun, NoRowsAreSharedWhereTheirLengthCounts) {
  TrainOptions options;
  options.train_file = {classes("classes.jsonl", 64)};
  options.per_device_train_batch_size = 32;
  options.max_length = 64;
  options.dataloader_num_workers = 0;
  ModelConfig config = read_model_config(folder_ / "tiny.json");
  config.head = {HeadKind::classification, 2, {"low", "high"}};
  for (const std::string type : {"linear", "dynamic", "longrope"}) {
    config.rope_scaling.type = type;
    const auto data =
        open_train_data(options, nullptr, config, {}, find_task("sequence_classification", ""), {});
    EXPECT_EQ(data->next()->rows() < 32, type == "linear") << type;
  }
}

// The directory of an adapter tells the support of a value head and the names of classes.
TEST_F(ScoreRun, AdaptersBringTheirHead) {
  train({"max_steps=1", output("base")});
  const auto check = [&](const std::string& name, const Settings& task) {
    const Settings tuning = joined({"model_name_or_path=" + (folder_ / "base").string(),
                                    "config_name=", "optim=adamw_torch", "optim_args="},
                                   task);
    const TrainResult first =
        train(joined(tuning, {"adapter=lora", "adapter_args=r=2", "max_steps=2", output(name)}));
    const TrainResult again =
        train(joined(tuning, {"adapter_name_or_path=" + (folder_ / name).string(), "max_steps=0",
                              "value_head_args=", output(name + "_again")}));
    EXPECT_EQ(value_of(again, "eval_loss"), value_of(first, "eval_loss")) << name;
    return read_model_config(folder_ / name).head;
  };
  const std::string numbers = rows("numbers.jsonl", 20, [](nlohmann::json& row) { row["label"] = 0.5; });
  const HeadConfig value = check("values", {"task=value", "value_head_args=v_min=-1,v_max=2,num_bins=5",
                                            "train_file=" + numbers, "eval_file=" + numbers});
  EXPECT_EQ(value.value.v_max, 2);
  const std::string names = classes("names.jsonl", 20);
  const HeadConfig classifier = check("classes", {"task=sequence_classification", "train_file=" + names,
                                                  "eval_file=" + (folder_ / "names.jsonl").string()});
  EXPECT_EQ(classifier.label_names, (std::vector<std::string>{"high", "low"}));
}

// As run_glue.py does, a checkpoint without names of its classes gets those of the rows.
TEST_F(ScoreRun, NamesTheClassesOfAModelWithoutNames) {
  const Settings tuning{"task=sequence_classification", "max_steps=1"};
  train(
      joined(with({"train_file=" + rows("numbered.jsonl", 20, [](nlohmann::json& row) { row["label"] = 1; }),
                   output("base")}),
             tuning));
  EXPECT_TRUE(read_model_config(folder_ / "base").head.label_names.empty());
  train(joined({"model_name_or_path=" + (folder_ / "base").string(),
                "config_name=", "train_file=" + classes("named.jsonl", 20), output("tuned")},
               tuning));
  EXPECT_EQ(read_model_config(folder_ / "tuned").head.label_names, (std::vector<std::string>{"high", "low"}));
}

TEST_F(ScoreRun, LearnsPreferences) {
  std::string text;
  RandomStream random(3, "pairs");
  for (int i = 0; i < 120; ++i) {
    const auto low = 1 + random.below(30), high = 32 + random.below(30);
    text += nlohmann::json({{"chosen_input_ids", {1 + random.below(60), high}},
                            {"rejected_input_ids", {1 + random.below(60), 1 + random.below(60), low}}})
                .dump() +
            "\n";
  }
  write_file_atomically(folder_ / "pairs.jsonl", text);
  const std::string file = (folder_ / "pairs.jsonl").string();
  const TrainResult result = train(with({"task=value", "value_head=mse", "train_file=" + file,
                                         "eval_file=" + file, "max_steps=60", output("pairs")}));
  EXPECT_GT(value_of(result, "eval_pair_accuracy"), 0.9);
  EXPECT_LT(value_of(result, "eval_loss"), std::log(2.0) / 2);
}

TEST_F(ScoreRun, LearnsPairsAsRewardsByOneOutput) {
  std::string text;
  RandomStream random(3, "rewards");
  for (int i = 0; i < 60; ++i)
    text += nlohmann::json({{"chosen_input_ids", {1 + random.below(60), 32 + random.below(30)}},
                            {"rejected_input_ids", {1 + random.below(60), 1 + random.below(30)}}})
                .dump() +
            "\n";
  write_file_atomically(folder_ / "rewards.jsonl", text);
  const std::string file = (folder_ / "rewards.jsonl").string();
  const TrainResult result = train(
      with({"task=reward", "train_file=" + file, "eval_file=" + file, "max_steps=40", output("reward")}));
  EXPECT_GT(value_of(result, "eval_pair_accuracy"), 0.9);
  const HeadConfig head = read_model_config(folder_ / "reward").head;
  EXPECT_EQ(head.value.loss, ValueLoss::bradley_terry);
  EXPECT_EQ(head.num_outputs(), 1);
}

TEST_F(Episodes, TeachValuesThroughEveryTargetNetwork) {
  for (const Settings& way :
       std::vector<Settings>{{"target_network=head"},
                             {"target_network=model", "target_tau=0.2"},
                             {"target_network=head", "td_steps=2", "value_head=two_hot"},
                             {"target_network=head", "value_head=quantile"}}) {
    Settings run = way;
    run.push_back(output("value"));
    run.emplace_back("overwrite_output_dir=true");
    EXPECT_GT(value_of(train(episode_run("value", 0, run)), "eval_pearson"), 0.7) << way.back();
  }
}

TEST_F(Episodes, TeachTheValuesOfActions) {
  for (const std::string head : {"mse", "hl_gauss"}) {
    const TrainResult result = train(episode_run(
        "q_value", 1, {"value_head=" + head, "target_network=model", "cql_alpha=0.01", output("q_" + head)}));
    EXPECT_GT(value_of(result, "eval_pearson"), 0.7) << head;
    const HeadConfig saved = read_model_config(folder_ / ("q_" + head)).head;
    EXPECT_EQ(saved.kind, HeadKind::action_value);
    EXPECT_EQ(saved.num_outputs(), kTinyVocabulary * (head == "mse" ? 1 : 31));
  }
}

TEST_F(Episodes, ResumeWithTheirTargetNetworkToTheBit) {
  for (const std::string network : {"head", "model"}) {
    const auto run = [&](const std::string& name, const Settings& more) {
      const Settings same{"target_network=" + network, "target_update_interval=4", "save_steps=6",
                          "max_steps=12", output(name)};
      train(episode_run("value", 0.5, joined(same, more)));
      return file_text(folder_ / name / "model.safetensors");
    };
    const std::string whole = run("whole_" + network, {});
    const std::string checkpoint = (folder_ / ("whole_" + network) / "checkpoint-6").string();
    EXPECT_TRUE(run("resumed_" + network, {"resume_from_checkpoint=" + checkpoint}) == whole) << network;
    std::filesystem::remove(Path(checkpoint) / kTargetNetworkName);
    EXPECT_TRUE(
        contains(message_of([&] { run("without_" + network, {"resume_from_checkpoint=" + checkpoint}); }),
                 "has no target_network.safetensors"));
  }
}

TEST_F(Episodes, PlanTheMemoryOfTheirTargetNetwork) {
  for (const std::string task : {"value", "q_value"})
    for (const std::string network : {"head", "model"}) {
      SCOPED_TRACE(task + " " + network);
      TrainOptions options;
      OptionTable table;
      resolve_settings(episode_run(task, 0, {"target_network=" + network, "cql_alpha=0"}), options, table);
      const ModelConfig config = model_config_of(options);
      const Workload workload{4, 0, 16, 1, options.task, "", options};
      const MemoryPlan plan = plan_memory(config, model_options(options), options.optimizer, workload);
      RunObjects run = build_model(config, model_options(options), at::kCPU);
      run.model->initialize(1);
      add_optimizer(run, options.optimizer);
      run.model->set_dropout({});
      run.target = make_target_network(options, *run.model, model_options(options), *run.ledger);
      run.target->copy_all();
      for (int64_t update = 1; update <= 4; ++update) {
        Batch batch = find_task(task).batch_of(at::arange(64, at::kLong).view({4, 16}));
        run.target->prepare(batch);
        run.optimizer->begin_update(0.01, 1);
        run.model->train_step(batch, 0.1);
        run.optimizer->finish_update();
        run.target->after_update(update * options.target_update_interval);
      }
      for (int i = 0; i < kNumOwners; ++i)
        EXPECT_EQ(plan.bytes[static_cast<size_t>(i)], run.ledger->bytes(static_cast<Owner>(i)))
            << owner_name(static_cast<Owner>(i));
    }
}

TEST_F(Episodes, AreRefusedWhereTheyCannotBeLearned) {
  const auto message = [&](const Settings& settings) {
    return message_of([&] { train(episode_run("value", 0.5, settings)); });
  };
  EXPECT_TRUE(contains(message({output("a")}),
                       "lambda: expected 1 (whole returns) without target_network, given 0.5"));
  EXPECT_EQ(message({"td_steps=2", output("a")}), "[td_steps] expected 0 without target_network, given 2");
  EXPECT_EQ(message({"task=reward", "target_network=head", output("a")}),
            "[target_network] expected none unless task is value or q_value, given head with task=reward");
  EXPECT_EQ(message({"cql_alpha=1", output("a")}), "[cql_alpha] expected 0 unless task=q_value, given 1");
}

TEST_F(ScoreRun, TellsHowManyTargetsAreOutsideOfTheSupport) {
  const std::string file =
      rows("far.jsonl", 20, [](nlohmann::json& row) { row["label"] = row["input_ids"].size() > 4 ? 30 : 1; });
  train(with({"task=value", "train_file=" + file, "max_steps=1", output("far")}));
  EXPECT_TRUE(contains(log_, "outside of the value head's support, -10 to 10"));
}

TEST_F(ScoreRun, ResumesToTheBit) {
  const std::string file = classes("classes.jsonl", 50);
  for (const std::string optim : {"galore_adamw", "galore_adamw_layerwise"}) {
    const Settings settings{"task=sequence_classification", "optim=" + optim, "train_file=" + file,
                            "save_steps=3", "max_steps=6"};
    const auto run = [&](const std::string& name, const Settings& more) {
      train(joined(joined(settings, {output(name)}), more));
      return file_text(folder_ / name / "model.safetensors");
    };
    const std::string whole = run("whole_" + optim, {});
    const Path checkpoint = folder_ / ("whole_" + optim) / "checkpoint-3";
    EXPECT_TRUE(run("resumed_" + optim, {"resume_from_checkpoint=" + checkpoint.string()}) == whole) << optim;
    const std::string other = classes("others.jsonl", 51);
    EXPECT_TRUE(contains(
        message_of([&] {
          run("changed_" + optim, {"resume_from_checkpoint=" + checkpoint.string(), "train_file=" + other});
        }),
        "ignore_data_changes"))
        << optim;
  }
}

}  // namespace
}  // namespace galore
