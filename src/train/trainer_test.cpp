#include "train/trainer.h"

#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "train/test_run.h"

namespace galore {
namespace {

using Steps = std::vector<int64_t>;

class TrainerTest : public TestRun {};

TEST_F(TrainerTest, TheLossFallsAndTheModelIsThere) {
  const TrainResult result = train({output("run"), eval_file(), "max_steps=120", "logging_steps=20"});
  const auto steps = events("run", "step");
  EXPECT_EQ(steps_of("run", "step"), (Steps{1, 20, 40, 60, 80, 100, 120}));
  // Guessing gives a loss of ln 64 = 4.16; knowing the rule of the tokens gives about 0.7.
  EXPECT_GT(steps.front().at("loss"), 3.9);
  EXPECT_LT(steps.back().at("loss"), 2.5);
  EXPECT_EQ(result.steps, 120);
  EXPECT_EQ(result.tokens_seen, 120 * 4 * 15) << "the first token of a row is not predicted";
  ASSERT_TRUE(result.evaluation.has_value());
  EXPECT_LT(result.evaluation->value("eval_loss"), 2.5);
  EXPECT_EQ(result.best_metric, result.evaluation->value("eval_loss"));
  EXPECT_EQ(read_model_config(folder_ / "run").hidden_size, 32);
  EXPECT_FALSE(find_latest(folder_ / "run").has_value()) << "no checkpoints unless asked for";
}

TEST_F(TrainerTest, TheLogHasEveryEventInOrder) {
  train({output("run"), eval_file(), "max_steps=4", "save_steps=4", "eval_steps=4", "report_to=all"});
  std::ifstream file(folder_ / "run" / "metrics.jsonl");
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) names.push_back(nlohmann::json::parse(line).at("event"));
  // Refreshes are staggered, so each of the four updates refreshes some of the 14 bases.
  EXPECT_EQ(names,
            (std::vector<std::string>{"configuration", "memory", "subspace", "step", "subspace", "step",
                                      "subspace", "step", "subspace", "step", "eval", "checkpoint", "end"}));
  const auto configuration = events("run", "configuration").at(0);
  EXPECT_EQ(configuration.at("optim"), "galore_adamw");
  EXPECT_EQ(configuration.at("max_steps"), "4");
  EXPECT_EQ(events("run", "step").at(2).at("total_steps"), 4);
  for (const char* name : {"eval_loss", "perplexity", "eval_loss_family", "num_tokens"})
    EXPECT_GT(events("run", "eval").at(0).at(name).get<double>(), 0) << name;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / "metrics.csv"));
  EXPECT_EQ(log_.find_first_of("\r\033"), std::string::npos) << "stderr is no terminal";
  EXPECT_NE(log_.find("configuration:\n"), std::string::npos);
}

TEST_F(TrainerTest, ChosenRanksAreLogged) {
  const std::string ranks = "optim_args=rank=16,energy=0.2,update_proj_gap=2,refresh=together";
  train({output("run"), "max_steps=3", "optim=adarankgrad_adamw", ranks});
  EXPECT_EQ(steps_of("run", "subspace"), (Steps{1, 3}));
  const auto chosen = events("run", "subspace").at(0).at("ranks");
  EXPECT_EQ(chosen.size(), 14u) << "seven matrices a layer";
  EXPECT_LT(chosen.at("model.layers.0.mlp.up_proj.weight"), 16);
  const auto step = events("run", "step").at(0);
  double sum = 0;
  for (const auto& [name, rank] : chosen.items()) sum += rank.get<double>();
  EXPECT_EQ(step.at("mean_rank"), sum / 14);
  EXPECT_NE(log_.find("  rank "), std::string::npos);
  train({output("fixed"), "max_steps=1"});
  EXPECT_EQ(events("fixed", "subspace").at(0).at("ranks").at("model.layers.0.mlp.up_proj.weight"), 8);
  EXPECT_FALSE(events("fixed", "step").at(0).contains("mean_rank"));
}

TEST_F(TrainerTest, CapturedEnergiesAreLogged) {
  const Settings every = {"max_steps=6", "optim_args=rank=8,update_proj_gap=2,refresh=together"};
  const auto run = [&](const std::string& name, const Settings& settings) {
    Settings all = every;
    all.push_back(output(name));
    all.insert(all.end(), settings.begin(), settings.end());
    train(all);
    return events(name, "subspace");
  };
  const auto bases = run("run", {});
  EXPECT_EQ(steps_of("run", "subspace"), (Steps{1, 3, 5}));
  for (const auto& event : bases) {
    EXPECT_EQ(event.at("ranks").size(), 14u);
    EXPECT_EQ(event.at("captured_energy").size(), 14u);
    for (const auto& [name, energy] : event.at("captured_energy").items()) {
      EXPECT_GT(energy.get<double>(), 0.2) << name << ": more than rank 8 of 32";
      EXPECT_LE(energy.get<double>(), 1) << name;
    }
  }
  // Refreshes between logged updates are logged with the next logged update or before a checkpoint.
  const auto few = run("few", {"logging_steps=4", "save_steps=3"});
  EXPECT_EQ(steps_of("few", "subspace"), (Steps{1, 3, 6}));
  EXPECT_EQ(few.at(2).at("captured_energy"), bases.at(2).at("captured_energy"));
  // The gradient's norm is exact where the full gradient is formed; elsewhere it is estimated from a few
  // columns.
  const auto formed = run("formed", {"gradient=full"});
  for (const auto& [name, energy] : formed.at(0).at("captured_energy").items())
    EXPECT_NEAR(energy.get<double>(), bases.at(0).at("captured_energy").at(name).get<double>(), 0.1) << name;
  EXPECT_TRUE(run("none", {"optim=adamw_torch", "optim_args="}).empty());
}

TEST_F(TrainerTest, TheSameSeedGivesTheSameModel) {
  for (const char* name : {"a", "b"}) train({output(name), "max_steps=5"});
  train({output("c"), "max_steps=5", "seed=7"});
  train({output("d"), "max_steps=5", "data_seed=7"});
  train({output("e"), "max_steps=5", "dataloader_num_workers=0"});
  train({output("f"), "max_steps=5", "dataloader_num_workers=3"});
  EXPECT_EQ(weights("a"), weights("b"));
  EXPECT_NE(weights("a"), weights("c"));
  EXPECT_NE(weights("a"), weights("d"));
  EXPECT_EQ(weights("a"), weights("e"));
  EXPECT_EQ(weights("a"), weights("f"));
}

TEST_F(TrainerTest, EpochsDecideTheNumberOfUpdates) {
  // The data have 75 rows, and an update has 12. As in the Trainer, each epoch ends with an update of its
  // own.
  const auto steps = [&](const std::string& epochs) {
    return train({output("e" + epochs), "num_train_epochs=" + epochs, "gradient_accumulation_steps=3"}).steps;
  };
  EXPECT_EQ(steps("1"), 7);
  EXPECT_EQ(steps("2"), 14);
  EXPECT_EQ(steps("2.3"), 16);
  EXPECT_EQ(steps("0.1"), 1);
  EXPECT_EQ(train({output("m"), "num_train_epochs=2", "max_steps=3"}).steps, 3);
}

TEST_F(TrainerTest, AStreamTrainsWhateverItsWorkers) {
  for (const char* workers : {"0", "1", "3"})
    train({output(workers), "max_steps=40", "streaming=true", "buffer_size=20", "val_size=5",
           "eval_strategy=epoch", std::string("dataloader_num_workers=") + workers});
  EXPECT_EQ(weights("0"), weights("1"));
  EXPECT_EQ(weights("0"), weights("3"));
  EXPECT_LT(events("0", "step").back().at("loss"), 3.5);
  // With 70 rows and 4 per update, update 18 sees the first rows of the second epoch.
  EXPECT_EQ(steps_of("0", "eval"), (Steps{18, 35, 40}));
  EXPECT_EQ(events("0", "eval").at(0).at("num_tokens"), 5 * 15);
  EXPECT_GE(events("0", "step").at(0).at("data_seconds"), 0);
}

TEST_F(TrainerTest, EvaluationStrategies) {
  const auto evaluated = [&](const std::string& name, Settings settings) {
    settings.insert(settings.end(), {output(name), eval_file()});
    train(settings);
    return steps_of(name, "eval");
  };
  EXPECT_EQ(evaluated("steps", {"max_steps=7", "eval_steps=3"}), (Steps{3, 6, 7}));
  EXPECT_EQ(evaluated("share", {"max_steps=8", "eval_steps=0.25"}), (Steps{2, 4, 6, 8}));
  EXPECT_EQ(evaluated("end", {"max_steps=4"}), (Steps{4}));
  EXPECT_EQ(evaluated("start", {"max_steps=4", "eval_steps=2", "eval_on_start=true"}), (Steps{0, 2, 4}));
  // With 75 rows and 4 per update, update 19 sees the first row of the second epoch.
  EXPECT_EQ(evaluated("epoch", {"num_train_epochs=2", "eval_strategy=epoch"}), (Steps{19, 38}));
}

TEST_F(TrainerTest, AnEvaluationHasAtMostSoManyBatches) {
  train({output("run"), eval_file(), "max_steps=1", "eval_max_batches=2", "per_device_eval_batch_size=3"});
  EXPECT_EQ(events("run", "eval").at(0).at("num_tokens"), 2 * 3 * 15);
}

TEST_F(TrainerTest, HeldOutRowsAreEvaluated) {
  train({output("run"), "val_size=5", "num_train_epochs=1"});
  EXPECT_EQ(events("run", "eval").at(0).at("num_tokens"), 5 * 15);
  EXPECT_EQ(events("run", "end").at(0).at("step"), 18) << "70 rows are left, 4 in an update";
}

TEST_F(TrainerTest, SavingStrategies) {
  const auto saved = [&](const std::string& name, Settings settings) {
    settings.insert(settings.end(), {output(name), eval_file()});
    train(settings);
    return checkpoints(name);
  };
  EXPECT_EQ(saved("steps", {"max_steps=7", "save_steps=3"}), (Steps{3, 6, 7}));
  EXPECT_EQ(saved("none", {"max_steps=3"}), Steps{});
  EXPECT_EQ(saved("epoch", {"max_steps=40", "save_strategy=epoch"}), (Steps{19, 38, 40}));
  EXPECT_EQ(saved("limit", {"max_steps=7", "save_steps=2", "save_total_limit=2"}), (Steps{6, 7}));
  EXPECT_EQ(steps_of("limit", "checkpoint"), (Steps{2, 4, 6, 7}));
}

// This is the protocol of the GaLore paper's code.
TEST_F(TrainerTest, OneDocumentPerRowWithoutLossOnThePadding) {
  std::string rows;
  for (const int64_t length : {3, 10, 16, 40}) {  // rows have 16 tokens, so the last document is cut
    nlohmann::json row;
    row["input_ids"] = tiny_tokens(length, 3);
    rows += row.dump() + "\n";
  }
  write_file_atomically(folder_ / "rows.jsonl", rows);
  const Settings settings = {"train_file=" + (folder_ / "rows.jsonl").string(), "packing=false",
                             "num_train_epochs=1", "grad_norm=exact"};
  const auto with = [&](const std::string& name, Settings more) {
    more.insert(more.end(), settings.begin(), settings.end());
    more.push_back(output(name));
    return train(more);
  };
  const TrainResult result = with("a", {});
  EXPECT_EQ(result.steps, 1);
  EXPECT_EQ(result.tokens_seen, 2 + 9 + 15 + 15);
  // The same tokens in two micro-batches of two rows give one update by the mean over tokens, not over
  // micro-batches.
  const TrainResult halves = with("b", {"per_device_train_batch_size=2", "gradient_accumulation_steps=2"});
  EXPECT_EQ(halves.tokens_seen, result.tokens_seen);
  // The fp32 sums run in another order, so they differ by a few units of the 24th bit.
  EXPECT_NEAR(halves.last_loss, result.last_loss, 1e-5);
  EXPECT_NEAR(events("b", "step").at(0).at("grad_norm"), events("a", "step").at(0).at("grad_norm"), 1e-4);
}

TEST_F(TrainerTest, AModelFolderIsContinued) {
  train({output("first"), "max_steps=3"});
  train({output("second"), "config_name=", "model_name_or_path=" + (folder_ / "first").string(),
         "max_steps=1", "learning_rate=0"});
  EXPECT_EQ(weights("second"), weights("first"));
}

TEST_F(TrainerTest, TheTokenizersFilesStandBesideTheModel) {
  const nlohmann::json model{
      {"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}}}, {"merges", nlohmann::json::array()}};
  std::filesystem::create_directory(folder_ / "tokenizer");
  write_file_atomically(folder_ / "tokenizer" / "tokenizer.json",
                        nlohmann::json{{"version", "1.0"}, {"model", model}}.dump());
  std::filesystem::create_directory(folder_ / "run");
  for (const char* stale :
       {"special_tokens_map.json", "adapter_config.json", "pytorch_model-00001-of-00001.bin"})
    write_file_atomically(folder_ / "run" / stale, "{}");
  write_file_atomically(folder_ / "tokenizer" / "merges.txt", "#version: 0.2");
  train({output("run"), "max_steps=2", "save_steps=1", "tokenizer_name=" + (folder_ / "tokenizer").string()});
  for (const char* place : {"run", "run/checkpoint-1"})
    EXPECT_EQ(file_text(folder_ / place / "tokenizer.json"),
              file_text(folder_ / "tokenizer" / "tokenizer.json"));
  for (const char* stale :
       {"special_tokens_map.json", "adapter_config.json", "pytorch_model-00001-of-00001.bin"})
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run" / stale)) << stale;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / "merges.txt"));
}

TEST_F(TrainerTest, NarrowWeightsAreTrainedAndSaved) {
  for (const char* more : {"bf16_rounding=stochastic", "master_weights=true"}) {
    const TrainResult result = train({output(more), "max_steps=40", "bf16=true", more});
    EXPECT_LT(result.last_loss, 3.8) << more;
  }
}

}  // namespace
}  // namespace galore
