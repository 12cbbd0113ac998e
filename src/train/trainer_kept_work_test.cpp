// Tests that errors late in a run never cost the updates before them, and that a run which has learned
// nothing is not a success.
#include <gtest/gtest.h>

#include <csignal>
#include <limits>

#include "train/run_state.h"
#include "train/test_run.h"
#include "train/test_scripted_model.h"

namespace galore {
namespace {

using Steps = std::vector<int64_t>;
constexpr double kNotFinite = std::numeric_limits<double>::quiet_NaN();

class TrainerKeptWork : public TestRun {
 protected:
  // Writes rows of 16 ids; the rows in `masked` have no label that counts.
  std::string rows(const std::string& name, int64_t count, const std::function<bool(int64_t)>& masked,
                   const std::string& end = "") {
    const std::vector<int> tokens = tiny_tokens(16 * count, 3);
    std::string text;
    for (int64_t row = 0; row < count; ++row) {
      nlohmann::json line;
      for (int64_t i = 0; i < 16; ++i) {
        const int token = tokens[static_cast<size_t>(16 * row + i)];
        line["input_ids"].push_back(token);
        line["labels"].push_back(masked(row) ? -100 : token);
      }
      text += line.dump() + "\n";
    }
    write_file_atomically(folder_ / name, text + end);
    return (folder_ / name).string();
  }
  std::string rows(const std::string& name, int64_t count, const std::string& end = "") {
    return rows(
        name, count, [](int64_t) { return false; }, end);
  }
  void expect_same_end(const std::string& name, Settings settings) {
    Settings whole = settings;
    settings.insert(settings.end(), {output(name), "resume_from_checkpoint=true"});
    whole.push_back(output(name + "_whole"));
    train(settings);
    train(whole);
    EXPECT_EQ(weights(name), weights(name + "_whole"));
  }
};

TEST_F(TrainerKeptWork, AFailingEvaluationSavesFirst) {
  // Steps 2, 4 and 6 evaluate 3 batches each, and the second or the last evaluation fails.
  for (const int64_t failing : {5, 8}) {
    Script script;
    script.evaluate = [failing](int64_t batch, double loss) {
      return batch == failing ? throw Error("no evaluation") : loss;
    };
    const std::string name = "run" + std::to_string(failing);
    const Settings settings = {eval_file(), "max_steps=6", "eval_steps=2"};
    Settings own = settings;
    own.push_back(output(name));
    EXPECT_EQ(message_of([&] { train(own, scripted(script)); }), "no evaluation");
    EXPECT_EQ(checkpoints(name), Steps{failing == 5 ? 4 : 6});
    EXPECT_NE(log_.find("because of an error"), std::string::npos) << log_;
    expect_same_end(name, settings);
  }
}

TEST_F(TrainerKeptWork, ABadRowLateInAStreamSavesFirst) {
  const Settings settings = {"train_file=" + rows("train.jsonl", 40, "no json\n"), "streaming=true",
                             "buffer_size=4", "max_steps=20"};
  Settings own = settings;
  own.push_back(output("run"));
  EXPECT_NE(message_of([&] { train(own); }).find("train.jsonl:41"), std::string::npos);
  ASSERT_EQ(checkpoints("run").size(), 1u);
  EXPECT_GT(checkpoints("run")[0], 0);
  own.insert(own.end(), {"bad_rows=skip", "resume_from_checkpoint=true"});
  EXPECT_EQ(train(own).steps, 20);
}

TEST_F(TrainerKeptWork, AModelThatCannotBeWrittenIsSavedAsACheckpoint) {
  std::filesystem::create_directories(folder_ / "run" / "model.safetensors");
  EXPECT_NE(message_of([&] {
              train({output("run"), "max_steps=3"});
            }).find("model.safetensors"),
            std::string::npos);
  EXPECT_EQ(checkpoints("run"), Steps{3});
}

TEST_F(TrainerKeptWork, AnErrorBeforeTheFirstUpdateSavesNothing) {
  Script script;
  script.evaluate = [](int64_t, double) -> double { throw Error("no evaluation"); };
  EXPECT_EQ(message_of([&] {
              train({output("run"), eval_file(), "max_steps=6", "eval_on_start=true"}, scripted(script));
            }),
            "no evaluation");
  EXPECT_EQ(checkpoints("run"), Steps{});
}

// An error in the middle of an update leaves weights that belong to no step.
TEST_F(TrainerKeptWork, AnErrorWithinAnUpdateSavesNothing) {
  Script script;
  script.train = [](int64_t batch, double loss) { return batch == 3 ? throw Error("no update") : loss; };
  EXPECT_EQ(message_of([&] {
              train({output("run"), "max_steps=6", "optim_layerwise=true"}, scripted(script));
            }),
            "no update");
  EXPECT_EQ(checkpoints("run"), Steps{});
}

TEST_F(TrainerKeptWork, EvaluationRowsAreCheckedBeforeTheFirstUpdate) {
  const std::string bad = rows("eval.jsonl", 9,
                               R"({"input_ids": [1, 2, 999], "labels": [1, 2, 3]})"
                               "\n");
  const std::string reason = message_of([&] { train({output("run"), "eval_file=" + bad, "max_steps=3"}); });
  EXPECT_NE(reason.find("999"), std::string::npos) << reason;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run" / "metrics.jsonl"));
  const std::string masked = rows("masked.jsonl", 9, [](int64_t) { return true; });
  EXPECT_NE(message_of([&] {
              train({output("run"), "eval_file=" + masked, "max_steps=3"});
            }).find("masked.jsonl] no row has a label that counts"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              train({output("run"), "eval_file=" + masked, "max_steps=3", "streaming=true"});
            }).find("expected labels other than -100 within max_length, given none"),
            std::string::npos);
}

TEST_F(TrainerKeptWork, UpdatesWithoutALabelAreSkipped) {
  // In the order of the data, each third row is masked.
  const std::string file = rows("train.jsonl", 9, [](int64_t row) { return row % 3 == 0; });
  const Settings settings = {output("run"),   "train_file=" + file, "per_device_train_batch_size=1",
                             "packing=false", "max_steps=9",        "save_steps=1"};
  train(settings);
  EXPECT_NE(log_.find("note: 3 of 9 rows of " + file +
                      " have no label that counts within max_length=16; the first is row 1\n"),
            std::string::npos)
      << log_;
  int64_t skipped = 0;
  for (const auto& step : events("run", "step")) {
    const int64_t number = step.at("step");
    skipped += step.at("skipped_updates").get<int64_t>();
    EXPECT_EQ(step.at("loss").is_null(), step.at("skipped_updates") == 1) << number;
    if (number == 1) continue;
    const bool unchanged = weights(fmt::format("run/checkpoint-{}", number)) ==
                           weights(fmt::format("run/checkpoint-{}", number - 1));
    EXPECT_EQ(unchanged, step.at("skipped_updates") == 1) << number;
  }
  EXPECT_EQ(skipped, 3);
  EXPECT_NE(log_.find("no label of the update counts: the update was skipped"), std::string::npos);
}

TEST_F(TrainerKeptWork, SkippedUpdatesDoNotDiluteTheLoggedLoss) {
  const std::string file = rows("train.jsonl", 6, [](int64_t row) { return row >= 3; });
  Script script;
  script.train = [](int64_t batch, double) { return static_cast<double>(batch); };  // 1, 2, 3
  const TrainResult result =
      train({output("run"), "train_file=" + file, "per_device_train_batch_size=1", "packing=false",
             "max_steps=6", "logging_steps=6", "logging_first_step=false"},
            scripted(script));
  EXPECT_EQ(result.last_loss, 2);
}

TEST_F(TrainerKeptWork, DataWithoutLabelsAreRefused) {
  const std::string file = rows("train.jsonl", 8, [](int64_t) { return true; });
  const Settings settings = {output("run"), "train_file=" + file, "max_steps=3", "packing=false"};
  EXPECT_EQ(
      message_of([&] { train(settings); }),
      "[" + file +
          "] no row has a label that counts within max_length=16: nothing would be learned or measured");
  Settings stream = settings;
  stream.push_back("streaming=true");
  EXPECT_EQ(message_of([&] { train(stream); }),
            "[train] nothing was learned: none of 3 updates had a label that counts");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run" / "config.json")) << "no model";
}

// The loss of micro-batch 2 is finite, but not its gradients.
TEST_F(TrainerKeptWork, UpdatesThatLeaveOutMostWeightsAreNoSuccess) {
  Script script;
  script.gradient = [](int64_t batch) { return batch == 2 ? kNotFinite : 1.0; };
  EXPECT_NE(message_of([&] {
              train({output("run"), "max_steps=4"}, scripted(script));
            }).find("step 2: the gradients of 21 of 21 weights are not finite"),
            std::string::npos);
  train({output("skip"), "max_steps=4", "nan_policy=skip"}, scripted(script));
  EXPECT_EQ(events("skip", "step").at(1).at("skipped_updates"), 1);
  EXPECT_EQ(events("skip", "step").at(2).at("skipped_updates"), 0);
}

// 75 rows in batches of 4.
TEST_F(TrainerKeptWork, AnEpochSeesEachRowOnce) {
  for (const char* workers : {"0", "2"}) {
    const std::string name = std::string("run") + workers;
    const Settings settings = {"num_train_epochs=1", "save_steps=18",
                               std::string("dataloader_num_workers=") + workers};
    Settings own = settings;
    own.push_back(output(name));
    const TrainResult result = train(own);
    EXPECT_EQ(result.steps, 19);
    EXPECT_EQ(result.tokens_seen, 75 * 15);
    EXPECT_EQ(events(name, "step").back().at("epoch"), 1.0);
    std::filesystem::remove_all(folder_ / name / "checkpoint-19");
    expect_same_end(name, settings);
  }
  // Batches of 4 in updates of 12 rows: the seventh update of each epoch has one batch of 3.
  const Settings twice = {"num_train_epochs=2", "gradient_accumulation_steps=3", "save_steps=7"};
  Settings own = twice;
  own.push_back(output("twice"));
  EXPECT_EQ(train(own).tokens_seen, 2 * 75 * 15);
  EXPECT_EQ(events("twice", "step").at(6).at("epoch"), 1.0);
  std::filesystem::remove_all(folder_ / "twice" / "checkpoint-14");
  expect_same_end("twice", twice);
  const TrainResult large = train({output("large"), "num_train_epochs=2", "gradient_accumulation_steps=64"});
  EXPECT_EQ(large.steps, 2) << "an update is larger than an epoch";
  EXPECT_EQ(large.tokens_seen, 2 * 75 * 15);
}

TEST_F(TrainerKeptWork, AnIgnoredHangupStaysIgnored) {
  Script script;
  script.train = [](int64_t batch, double loss) {
    if (batch == 2) ::raise(SIGHUP);
    return loss;
  };
  ::signal(SIGHUP, SIG_IGN);
  const TrainResult result = train({output("run"), "max_steps=4"}, scripted(script));
  const auto after = ::signal(SIGHUP, SIG_DFL);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.steps, 4);
  EXPECT_EQ(after, SIG_IGN);
}

}  // namespace
}  // namespace galore
