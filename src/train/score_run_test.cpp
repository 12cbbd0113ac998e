// Runs of tasks whose head scores rows: they learn, resume to the bit, and their folders can be loaded.
#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/hugging_face.h"
#include "train/inputs.h"
#include "train/test_run.h"

namespace galore {
namespace {

class ScoreRun : public TestRun {
 protected:
  // Writes rows of random tokens. `add` sets the targets of a row from its tokens.
  template <typename Add>
  std::string rows(const std::string& name, int64_t count, const Add& add) {
    RandomStream random(7, name.c_str());
    std::string text;
    for (int64_t i = 0; i < count; ++i) {
      nlohmann::json row;
      for (uint64_t t = 0; t < 3 + random.below(6); ++t)
        row["input_ids"].push_back(1 + random.below(kTinyVocabulary - 1));
      add(row);
      text += row.dump() + "\n";
    }
    write_file_atomically(folder_ / name, text);
    return (folder_ / name).string();
  }
  std::string classes(const std::string& name, int64_t count) {
    return rows(name, count, [](nlohmann::json& row) {
      row["label"] = row["input_ids"].back().get<int>() < kTinyVocabulary / 2 ? "low" : "high";
    });
  }
  Settings with(const Settings& more) const {
    Settings all{"optim=adamw_torch", "optim_args=", "per_device_train_batch_size=8"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  double value_of(const TrainResult& result, const std::string& metric) const {
    return result.evaluation->value(metric);
  }
};

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
  for (const char* head : {"mse", "two_hot", "hl_gauss", "c51"}) {
    const std::string name = std::string("value_") + head;
    const TrainResult result = train(with(
        {"task=value", std::string("value_head=") + head, "value_head_args=v_min=-0.2,v_max=1.2,num_bins=21",
         "train_file=" + train_rows, "eval_file=" + train_rows, "max_steps=200", output(name)}));
    if (std::string(head) != "c51") {
      EXPECT_GT(value_of(result, "eval_pearson"), 0.8) << head;
    }
    const auto json = nlohmann::json::parse(file_text(folder_ / name / "config.json"));
    EXPECT_EQ(json["value_head"]["type"], head);
    EXPECT_EQ(json["value_head"].size(), std::string(head) == "mse"        ? 1
                                         : std::string(head) == "hl_gauss" ? 5
                                                                           : 4);
    EXPECT_EQ(read_model_config(folder_ / name).head.num_outputs(), std::string(head) == "mse" ? 1 : 21);
  }
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

TEST_F(ScoreRun, ResumesToTheBit) {
  const std::string file = classes("classes.jsonl", 50);
  for (const std::string optim : {"galore_adamw", "galore_adamw_layerwise"}) {
    const Settings settings{"task=sequence_classification", "optim=" + optim, "train_file=" + file,
                            "save_steps=3", "max_steps=6"};
    const auto run = [&](const std::string& name, const Settings& more) {
      Settings all = settings;
      all.push_back(output(name));
      all.insert(all.end(), more.begin(), more.end());
      train(all);
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
