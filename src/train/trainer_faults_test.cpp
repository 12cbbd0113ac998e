// Tests the behaviour of a run, and the files that it leaves, after losses that are not finite, loss spikes
// and signals.
#include <gtest/gtest.h>

#include <csignal>
#include <limits>

#include "train/run_state.h"
#include "train/test_run.h"
#include "train/test_scripted_model.h"

namespace galore {
namespace {

using Steps = std::vector<int64_t>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Gives micro-batch `bad` a NaN loss and NaN gradients.
Script nan_at(int64_t bad) {
  Script script;
  script.train = [bad](int64_t batch, double loss) { return batch == bad ? kNan : loss; };
  script.gradient = [bad](int64_t batch) { return batch == bad ? kNan : 1.0; };
  return script;
}

class TrainerFaults : public TestRun {};

TEST_F(TrainerFaults, ALossThatIsNotFiniteStopsTheRunAndKeepsTheLastCheckpoint) {
  for (const char* layerwise : {"false", "true"}) {
    const std::string name = std::string("run_") + layerwise;
    const Settings settings = {output(name), "max_steps=9", "save_steps=2", "gradient_accumulation_steps=2",
                               std::string("optim_layerwise=") + layerwise};
    // Micro-batch 12 is the second of update 6.
    const std::string complaint = message_of([&] { train(settings, scripted(nan_at(12))); });
    EXPECT_EQ(complaint, "[train] step 6: the loss is not finite; the last checkpoint is " +
                             checkpoint_path(folder_ / name, 4).string());
    EXPECT_EQ(checkpoints(name), (Steps{2, 4}));
    EXPECT_EQ(events(name, "stopped").at(0).at("step"), 6);
    EXPECT_EQ(steps_of(name, "step"), (Steps{1, 2, 3, 4, 5})) << "the bad update is not counted";
    EXPECT_FALSE(std::filesystem::exists(folder_ / name / "config.json")) << "no final model";
    // A run resumed from the checkpoint continues as if the fault had not happened.
    Settings rest = settings, whole = settings;
    rest.push_back("resume_from_checkpoint=true");
    whole.push_back(output(name + "_whole"));
    train(rest);
    train(whole);
    EXPECT_EQ(weights(name), weights(name + "_whole"));
  }
}

TEST_F(TrainerFaults, WithoutCheckpointsTheReasonSaysSo) {
  EXPECT_EQ(message_of([&] {
              train({output("run"), "max_steps=3"}, scripted(nan_at(2)));
            }),
            "[train] step 2: the loss is not finite; the last checkpoint is none");
}

TEST_F(TrainerFaults, AnUpdateIsSkippedWithoutTrace) {
  for (const char* layerwise : {"false", "true"}) {
    const std::string name = std::string("run_") + layerwise;
    const Settings settings = {output(name), "max_steps=6", "save_steps=1", "nan_policy=skip",
                               std::string("optim_layerwise=") + layerwise};
    train(settings, scripted(nan_at(5)));  // update 5 is a refresh
    EXPECT_EQ(weights(name + "/checkpoint-4"), weights(name + "/checkpoint-5"));
    EXPECT_EQ(file_text(folder_ / name / "checkpoint-4" / kOptimizerName),
              file_text(folder_ / name / "checkpoint-5" / kOptimizerName));
    EXPECT_NE(weights(name + "/checkpoint-5"), weights(name + "/checkpoint-6"));
    EXPECT_NE(log_.find("step 5: loss nan: the update was skipped\n"), std::string::npos);
    EXPECT_EQ(log_.find("is not finite"), std::string::npos) << "one line, not one for every weight";
    EXPECT_EQ(log_.find("had been updated"), std::string::npos);
    const auto steps = events(name, "step");
    ASSERT_EQ(steps.size(), 6u) << "the skipped update is a step of the schedule and of the log";
    EXPECT_TRUE(steps[4].at("loss").is_null());
    EXPECT_EQ(steps[4].at("skipped_updates"), 1);
    EXPECT_EQ(steps[5].at("skipped_updates"), 0);
    const RunState state = read_run_state(folder_ / name / "checkpoint-5");
    EXPECT_EQ(state.step, 5);
    EXPECT_EQ(state.data.index, 20) << "its rows are not seen again";
  }
  EXPECT_EQ(weights("run_false"), weights("run_true")) << "both drivers skip alike";
}

TEST_F(TrainerFaults, SkippedUpdatesAreResumedToTheBit) {
  const Settings settings = {"max_steps=8", "save_steps=5", "nan_policy=skip", "logging_steps=8"};
  Settings whole = settings, rest = settings;
  whole.push_back(output("whole"));
  rest.insert(rest.end(),
              {output("rest"), "resume_from_checkpoint=" + (folder_ / "whole" / "checkpoint-5").string()});
  train(whole, scripted(nan_at(5)));
  train(rest);
  EXPECT_EQ(weights("whole"), weights("rest"));
  EXPECT_EQ(events("rest", "step").back().at("skipped_updates"), 1)
      << "since the last line, before the checkpoint";
  EXPECT_EQ(events("rest", "step").back().at("loss"), events("whole", "step").back().at("loss"));
}

TEST_F(TrainerFaults, ALossThatIsNotFiniteStaysOutOfTheAverage) {
  Script script;
  script.train = [](int64_t batch, double) { return batch == 2 ? kNan : static_cast<double>(batch); };
  const TrainResult result =
      train({output("run"), "max_steps=4", "logging_steps=4", "logging_first_step=false", "nan_policy=skip"},
            scripted(script));
  EXPECT_EQ(result.last_loss, (1.0 + 3.0 + 4.0) / 3);
  EXPECT_EQ(events("run", "step").at(0).at("skipped_updates"), 1);
}

// Layer-wise mode writes weights before the loss is known, so the message must say so if the gradients were
// finite.
TEST_F(TrainerFaults, LayerwiseModeSaysWhatItHasUpdatedAlready) {
  Script script;
  script.train = [](int64_t batch, double loss) { return batch == 2 ? kNan : loss; };
  train({output("run"), "max_steps=2", "nan_policy=skip", "optim_layerwise=true"}, scripted(script));
  EXPECT_NE(log_.find("step 2: but 21 weights whose gradients are finite had been updated"),
            std::string::npos)
      << log_;
}

TEST_F(TrainerFaults, WeightsThatAreNotFiniteAreNeverSaved) {
  ParameterList parameters;
  Script script;
  script.train = [&](int64_t batch, double loss) {
    if (batch == 4) parameters.front()->value.flatten()[7] = kNan;
    return loss;
  };
  const Trainer::MakeModel make = [&](const ModelConfig& config, const ModelOptions& options,
                                      Ledger& ledger) {
    auto model = scripted(script)(config, options, ledger);
    parameters = model->parameters();
    return model;
  };
  EXPECT_EQ(
      message_of([&] {
        train({output("run"), "max_steps=4", "save_steps=2", "save_total_limit=1"}, make);
      }),
      "[train] step 4: model.embed_tokens.weight holds values that are not finite; the last checkpoint is " +
          checkpoint_path(folder_ / "run", 2).string());
  EXPECT_EQ(checkpoints("run"), Steps{2});
  // With nan_policy=skip the run would skip all further updates, which would waste a night.
  script.train = [&](int64_t batch, double loss) {
    if (batch == 3) parameters.front()->value.flatten()[7] = kNan;
    return batch >= 3 ? kNan : loss;
  };
  EXPECT_NE(message_of([&] {
              train({output("skip"), "max_steps=9", "nan_policy=skip"}, make);
            }).find("step 3: model.embed_tokens.weight holds values that are not finite"),
            std::string::npos);
}

TEST_F(TrainerFaults, ASpikeIsSkipped) {
  Script script;
  script.train = [](int64_t batch, double loss) { return batch == 52 ? 50.0 : loss; };
  const Settings settings = {output("run"), "max_steps=53", "save_steps=1", "spike_threshold=6"};
  train(settings, scripted(script));
  EXPECT_EQ(weights("run/checkpoint-51"), weights("run/checkpoint-52"));
  EXPECT_NE(weights("run/checkpoint-52"), weights("run/checkpoint-53"));
  EXPECT_NE(log_.find("step 52: loss 50: the update was skipped"), std::string::npos);
}

// A signal within a micro-batch lets the run finish the update, save and stop.
TEST_F(TrainerFaults, ASignalSavesAndStops) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    const std::string name = "run" + std::to_string(signal);
    Script script;
    script.train = [signal](int64_t batch, double loss) {
      if (batch == 6) ::raise(signal);
      return loss;
    };
    const Settings settings = {output(name), eval_file(), "max_steps=6", "gradient_accumulation_steps=2"};
    const TrainResult result = train(settings, scripted(script));
    EXPECT_EQ(result.signal, signal);
    EXPECT_EQ(result.steps, 3);
    EXPECT_FALSE(result.evaluation.has_value());
    EXPECT_EQ(checkpoints(name), Steps{3});
    EXPECT_FALSE(std::filesystem::exists(folder_ / name / "config.json")) << "no final model";
    EXPECT_EQ(events(name, "end").at(0).at("signal"), signal);
    Settings rest = settings, whole = settings;
    rest.push_back("resume_from_checkpoint=true");
    whole.push_back(output(name + "whole"));
    train(rest);
    train(whole);
    EXPECT_EQ(weights(name), weights(name + "whole"));
  }
}

TEST_F(TrainerFaults, ASignalEndsAnEvaluation) {
  Script script;
  int evaluated = 0;
  script.evaluate = [&](int64_t batch, double loss) {
    ++evaluated;
    if (batch == 2) ::raise(SIGTERM);
    return loss;
  };
  const TrainResult result =
      train({output("run"), eval_file(), "max_steps=4", "eval_steps=2"}, scripted(script));
  EXPECT_EQ(result.signal, SIGTERM);
  EXPECT_EQ(evaluated, 2);
  EXPECT_EQ(checkpoints("run"), Steps{2});
  EXPECT_TRUE(events("run", "eval").empty());
}

TEST_F(TrainerFaults, AProgramMayStopARunAndHearOfIt) {
  static int caught = 0;
  ::signal(SIGTERM, [](int) { ++caught; });
  Script script;
  std::atomic<int> stop = 0;
  script.train = [&](int64_t batch, double loss) {
    ::raise(SIGTERM);  // reaches the handler of the program
    if (batch == 3) stop = SIGINT;
    return loss;
  };
  std::vector<std::string> lines;
  std::vector<LogEvent> heard;
  std::vector<int64_t> steps;
  RunHooks hooks;
  hooks.take_line = [&](const std::string& line) { lines.push_back(line); };
  hooks.take_event = [&](const LogEvent& event) { heard.push_back(event); };
  hooks.take_progress = [&](const StepMetrics& metrics) { steps.push_back(metrics.step); };
  hooks.stop = &stop;
  TrainOptions options;
  OptionTable table;
  const auto notes =
      resolve_settings({output("run"), "max_steps=6", "logging_steps=2", "report_to=none"}, options, table);
  const TrainResult result = Trainer(options, notes, scripted(script), hooks).run();
  ::signal(SIGTERM, SIG_DFL);
  EXPECT_EQ(caught, 3);
  EXPECT_EQ(result.signal, SIGINT);
  EXPECT_EQ(checkpoints("run"), Steps{3});
  EXPECT_EQ(steps, (Steps{1, 2, 3}));
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.starts_with("saved "); }));
  const auto count = [&](const char* name) {
    return std::count_if(heard.begin(), heard.end(),
                         [&](const LogEvent& event) { return event.name == name; });
  };
  EXPECT_EQ(count("step"), 2) << "the first update and the second one are logged";
  EXPECT_EQ(count("checkpoint"), 1);
  EXPECT_EQ(heard.back().fields.at("signal"), SIGINT);
}

TEST_F(TrainerFaults, TheHandlersOfBeforeComeBack) {
  static int caught = 0;
  ::signal(SIGTERM, [](int) { ++caught; });
  train({output("run"), "max_steps=1"});
  ::raise(SIGTERM);
  ::signal(SIGTERM, SIG_DFL);
  EXPECT_EQ(caught, 1);
}

}  // namespace
}  // namespace galore
