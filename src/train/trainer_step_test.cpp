// Tests a trainer that its caller drives update by update.
#include <gtest/gtest.h>

#include <thread>

#include "train/test_run.h"

namespace galore {
namespace {

class TrainerStepTest : public TestRun {
 protected:
  std::unique_ptr<Trainer> make(const Settings& settings) {
    TrainOptions options;
    OptionTable table;
    const auto notes = resolve_settings(settings, options, table);
    return std::make_unique<Trainer>(options, notes, make_causal_lm,
                                     [this](const std::string& line) { log_ += line + "\n"; });
  }
};

TEST_F(TrainerStepTest, StepsGiveTheFilesOfARun) {
  const Settings settings = {eval_file(), "max_steps=6", "eval_steps=2", "save_steps=3",
                             "eval_on_start=true"};
  Settings run = settings, steps = settings;
  run.push_back(output("run"));
  steps.push_back(output("steps"));
  const TrainResult expected = train(run);
  log_.clear();
  testing::internal::CaptureStderr();
  const auto trainer = make(steps);
  std::vector<double> losses;
  while (!trainer->done()) losses.push_back(trainer->step().loss);
  const TrainResult result = trainer->finish();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "lines are taken";
  EXPECT_NE(log_.find("configuration:\n"), std::string::npos);
  EXPECT_NE(log_.find("step 6: eval_loss"), std::string::npos);
  EXPECT_EQ(weights("steps"), weights("run"));
  EXPECT_EQ(weights("steps/checkpoint-3"), weights("run/checkpoint-3"));
  EXPECT_EQ(steps_of("steps", "eval"), steps_of("run", "eval"));
  EXPECT_EQ(checkpoints("steps"), checkpoints("run"));
  ASSERT_EQ(losses.size(), 6u);
  for (size_t i = 0; i < losses.size(); ++i) EXPECT_EQ(events("run", "step").at(i).at("loss"), losses[i]);
  EXPECT_EQ(result.evaluation->value("eval_loss"), expected.evaluation->value("eval_loss"));
  EXPECT_GT(result.seconds, 0);
}

TEST_F(TrainerStepTest, WhatIsSavedAtAnyStepGoesOnToTheBit) {
  train({output("whole"), "max_steps=6"});
  auto first = make({output("run"), "max_steps=6"});
  for (int i = 0; i < 4; ++i) first->step();
  EXPECT_EQ(first->save(), folder_ / "run" / "checkpoint-4");
  EXPECT_EQ(message_of([&] {
              make({output("run"), "max_steps=6", "resume_from_checkpoint=auto"});
            }),
            "[output_dir] another run writes into " + (folder_ / "run").string() +
                ": expected another output_dir, or that run to end first");
  first.reset();
  const auto second = make({output("run"), "max_steps=6", "resume_from_checkpoint=auto"});
  while (!second->done()) second->step();
  EXPECT_EQ(second->finish().steps, 6);
  EXPECT_EQ(weights("run"), weights("whole"));
}

// Weights and files equal those of the same runs one after the other.
TEST_F(TrainerStepTest, TwoAtOnceDoNotDisturbEachOther) {
  const auto run = [this](const std::string& name, const std::string& optim) {
    at::set_num_threads(1);
    TrainOptions options;
    OptionTable table;
    const auto notes = resolve_settings(
        {output(name), eval_file(), "max_steps=12", "save_steps=5", "eval_steps=4", "optim=" + optim},
        options, table);
    Trainer(options, notes, make_causal_lm, [](const std::string&) {}).run();
  };
  run("a", "galore_adamw");
  run("b", "galore_adamw_8bit_layerwise");
  { const std::jthread first(run, "a2", "galore_adamw"), second(run, "b2", "galore_adamw_8bit_layerwise"); }
  for (const std::string name : {"a", "b"}) {
    EXPECT_EQ(weights(name + "2"), weights(name));
    EXPECT_EQ(file_text(folder_ / (name + "2") / "checkpoint-10" / "optimizer.safetensors"),
              file_text(folder_ / name / "checkpoint-10" / "optimizer.safetensors"));
    EXPECT_EQ(steps_of(name + "2", "eval"), steps_of(name, "eval"));
  }
  EXPECT_NE(weights("a"), weights("b"));
}

TEST_F(TrainerStepTest, EvaluatesWhenAsked) {
  const auto trainer = make({output("run"), eval_file(), "max_steps=2"});
  const double before = trainer->evaluate().value("eval_loss");
  trainer->step();
  EXPECT_NE(trainer->evaluate().value("eval_loss"), before);
  EXPECT_EQ(steps_of("run", "eval"), (std::vector<int64_t>{0, 1}));
  const auto without = make({output("other"), "max_steps=2"});
  EXPECT_EQ(message_of([&] { without->evaluate(); }),
            "[eval_file] expected eval_file or val_size for an evaluation, given neither");
}

}  // namespace
}  // namespace galore
