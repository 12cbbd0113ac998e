// Tests which checkpoint counts as the best, which checkpoints are kept, and which run owns a folder.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "checkpoint/state_files.h"
#include "train/test_run.h"
#include "train/test_scripted_model.h"

namespace galore {
namespace {

using Steps = std::vector<int64_t>;

// Gives the evaluations of a run these losses. Each evaluation has one batch.
Script evaluations(const std::vector<double>& losses) {
  Script script;
  script.evaluate = [losses](int64_t number, double) { return losses.at(static_cast<size_t>(number - 1)); };
  return script;
}

class TrainerBest : public TestRun {
 protected:
  // Each evaluation has one batch.
  TrainResult evaluated(const std::string& name, const std::vector<double>& losses, Settings settings) {
    settings.insert(settings.end(), {output(name), eval_file(), "per_device_eval_batch_size=100"});
    return train(settings, scripted(evaluations(losses)));
  }
  TrainerState state(const std::string& checkpoint) const {
    return read_trainer_state(folder_ / checkpoint / kTrainerStateName);
  }
};

TEST_F(TrainerBest, TheBestIsSavedWhenItIsFound) {
  const TrainResult result =
      evaluated("run", {3, 2, 2.5, 1, 1}, {"max_steps=5", "eval_steps=1", "save_strategy=best"});
  EXPECT_EQ(checkpoints("run"), (Steps{1, 2, 4}));
  EXPECT_EQ(result.best_metric, 1);
  EXPECT_EQ(state("run/checkpoint-2").best_metric, 2);
  EXPECT_EQ(state("run/checkpoint-4").best_model_checkpoint, (folder_ / "run" / "checkpoint-4").string());
}

TEST_F(TrainerBest, TheBestModelIsLoadedAtTheEnd) {
  for (const char* strategy : {"save_steps=1", "save_strategy=best"}) {
    const std::string name = strategy;
    evaluated(name, {3, 2, 2.5, 4}, {"max_steps=4", "eval_steps=1", "load_best_model_at_end=true", strategy});
    EXPECT_EQ(weights(name), weights(name + "/checkpoint-2"));
    EXPECT_NE(log_.find("the last model is that of " + (folder_ / name / "checkpoint-2").string()),
              std::string::npos);
  }
}

TEST_F(TrainerBest, ByEpochs) {
  evaluated("run", {2, 3},
            {"num_train_epochs=2", "max_samples=10", "eval_strategy=epoch", "save_strategy=epoch",
             "load_best_model_at_end=true"});
  EXPECT_EQ(checkpoints("run"), (Steps{3, 6}));
  EXPECT_EQ(weights("run"), weights("run/checkpoint-3"));
}

// Evaluations 1, 3 and 5 have no checkpoint, so the best checkpoint is the best saved one.
TEST_F(TrainerBest, OnlyACheckpointThatWasSavedIsNamed) {
  evaluated("run", {1, 3, 1, 2, 1, 4},
            {"max_steps=6", "eval_steps=1", "save_steps=2", "load_best_model_at_end=true"});
  EXPECT_EQ(weights("run"), weights("run/checkpoint-4"));
  EXPECT_EQ(state("run/checkpoint-6").best_model_checkpoint, (folder_ / "run" / "checkpoint-4").string());
  EXPECT_EQ(state("run/checkpoint-6").best_metric, 1);
}

TEST_F(TrainerBest, TheLastUpdateTakesPart) {
  evaluated("run", {3, 2, 1},
            {"max_steps=5", "eval_steps=2", "save_strategy=best", "load_best_model_at_end=true"});
  EXPECT_EQ(checkpoints("run"), (Steps{2, 4, 5}));
  EXPECT_EQ(weights("run"), weights("run/checkpoint-5"));
}

TEST_F(TrainerBest, PruningKeepsTheBestAndTheNewest) {
  evaluated(
      "run", {3, 1, 2, 4, 5},
      {"max_steps=5", "eval_steps=1", "save_steps=1", "save_total_limit=2", "load_best_model_at_end=true"});
  EXPECT_EQ(checkpoints("run"), (Steps{2, 5}));
  EXPECT_EQ(weights("run"), weights("run/checkpoint-2"));
}

TEST_F(TrainerBest, AnEvaluationThatIsNotFiniteIsNeverTheBest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const TrainResult result =
      evaluated("run", {nan, 3, nan, 2}, {"max_steps=4", "eval_steps=1", "save_strategy=best"});
  EXPECT_EQ(checkpoints("run"), (Steps{2, 4}));
  EXPECT_EQ(result.best_metric, 2);
  EXPECT_TRUE(events("run", "eval").at(0).at("eval_loss").is_null());
}

TEST_F(TrainerBest, WhereNothingWasSavedTheLastModelIsThatOfTheEnd) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  evaluated("run", {nan}, {"max_steps=2", "eval_steps=5", "load_best_model_at_end=true"});
  EXPECT_NE(log_.find("no evaluated checkpoint was saved; the last model is that of the end"),
            std::string::npos);
}

TEST_F(TrainerBest, AMovedRunFindsItsBestCheckpoint) {
  evaluated("run", {1, 2}, {"max_steps=2", "eval_steps=1", "save_steps=1", "load_best_model_at_end=true"});
  std::filesystem::rename(folder_ / "run", folder_ / "moved");
  evaluated("moved", {3},
            {"max_steps=3", "eval_steps=1", "save_steps=1", "load_best_model_at_end=true",
             "resume_from_checkpoint=auto"});
  EXPECT_EQ(weights("moved"), weights("moved/checkpoint-1"));
}

TEST_F(TrainerBest, AnotherMetricBeginsAnew) {
  evaluated("run", {1, 2}, {"max_steps=2", "eval_steps=1", "save_steps=1"});
  const TrainResult result = evaluated("run", {3},
                                       {"max_steps=3", "eval_steps=1", "save_steps=1",
                                        "metric_for_best_model=perplexity", "resume_from_checkpoint=auto"});
  EXPECT_EQ(result.best_metric, std::exp(3.0)) << "a loss is no perplexity";
}

TEST_F(TrainerBest, CheckpointsOfAnotherRunAreRefused) {
  train({output("run"), "max_steps=4", "save_steps=2"});
  const std::string log = file_text(folder_ / "run" / "metrics.jsonl");
  const std::string complaint = message_of([&] { train({output("run"), "max_steps=2", "save_steps=1"}); });
  EXPECT_NE(
      complaint.find("[output_dir] " + (folder_ / "run" / "checkpoint-4").string() + " is of an earlier run"),
      std::string::npos);
  EXPECT_NE(complaint.find("overwrite_output_dir=true"), std::string::npos);
  EXPECT_EQ(file_text(folder_ / "run" / "metrics.jsonl"), log);
  // A start that is refused for another reason must not remove any file.
  EXPECT_NE(
      message_of([&] {
        train({output("run"), "max_steps=2", "overwrite_output_dir=true", "optim_target_modules=nothing"});
      }),
      "");
  EXPECT_EQ(checkpoints("run"), (Steps{2, 4}));
  EXPECT_EQ(file_text(folder_ / "run" / "metrics.jsonl"), log);
  train({output("run"), "max_steps=3", "save_steps=1", "overwrite_output_dir=true", "save_total_limit=2"});
  EXPECT_EQ(checkpoints("run"), (Steps{2, 3}));
  EXPECT_NE(log_.find("overwrite_output_dir: removed " + (folder_ / "run" / "checkpoint-4").string()),
            std::string::npos);
  EXPECT_NE(log_.find("is of an earlier run; this run's replaces it at the end"), std::string::npos);
}

TEST_F(TrainerBest, CheckpointsBehindTheResumedOneAreRefused) {
  train({output("run"), "max_steps=6", "save_steps=2"});
  const Settings settings = {output("run"), "max_steps=6", "save_steps=3",
                             "resume_from_checkpoint=" + (folder_ / "run" / "checkpoint-2").string()};
  EXPECT_NE(message_of([&] { train(settings); }).find("is of a later step than"), std::string::npos);
  Settings overwriting = settings;
  overwriting.push_back("overwrite_output_dir=true");
  train(overwriting);
  EXPECT_EQ(checkpoints("run"), (Steps{2, 3, 6}));
  // After resuming from a checkpoint in another folder, all checkpoints in the output folder belong to
  // another run.
  train({output("other"), "max_steps=1", "save_steps=1"});
  EXPECT_NE(message_of([&] {
              train({output("other"), "max_steps=6",
                     "resume_from_checkpoint=" + (folder_ / "run" / "checkpoint-2").string()});
            }).find("is of an earlier run"),
            std::string::npos);
}

TEST_F(TrainerBest, LeftoversOfKilledWritersAreRemoved) {
  std::filesystem::create_directories(folder_ / "run" / ".unfinished-7-1");
  write_file_atomically(folder_ / "run" / ".unfinished-7-1" / "model.safetensors", "half");
  train({output("run"), "max_steps=1"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run" / ".unfinished-7-1"));
  EXPECT_NE(log_.find("removed the unfinished"), std::string::npos);
}

TEST_F(TrainerBest, AFolderThatCannotBeIsRefusedAtOnce) {
  write_file_atomically(folder_ / "file", "");
  EXPECT_NE(message_of([&] {
              train({output("file/run"), "train_file=/nowhere.bin"});
            }).find("[output_dir] cannot create the folder"),
            std::string::npos);
}

}  // namespace
}  // namespace galore
