#include "train/movement_watch.h"

#include <gtest/gtest.h>

#include "train/test_run.h"

namespace galore {
namespace {

class MovementWatchTest : public TestRun {
 protected:
  // Returns true if a run of `steps` updates says that the weights hardly move.
  bool noted(Settings settings, int64_t steps = MovementWatch::kUpdates) {
    settings.insert(settings.end(),
                    {output("run"), "max_steps=" + std::to_string(steps), "lr_scheduler_type=constant"});
    train(settings);
    return log_.find("note: in 10 updates at most ") != std::string::npos;
  }
};

TEST_F(MovementWatchTest, WeightsThatRoundingHoldsAreNoted) {
  EXPECT_TRUE(noted({"bf16=true", "learning_rate=1e-7"}));
  EXPECT_NE(log_.find("bf16_rounding=stochastic or master_weights=true keeps them"), std::string::npos);
  EXPECT_TRUE(noted({"bf16=true", "learning_rate=1e-7", "optim_layerwise=true"}));
  EXPECT_FALSE(noted({"bf16=true", "learning_rate=1e-7"}, MovementWatch::kUpdates - 1))
      << "too early to judge";
}

TEST_F(MovementWatchTest, WeightsThatMoveOrKeepTheirChangesAreNot) {
  EXPECT_FALSE(noted({"bf16=true", "learning_rate=0.01"}));
  EXPECT_FALSE(noted({"learning_rate=1e-7"})) << "fp32";
  EXPECT_FALSE(noted({"bf16=true", "learning_rate=1e-7", "bf16_rounding=stochastic"}));
  EXPECT_FALSE(noted({"bf16=true", "learning_rate=1e-7", "master_weights=true"}));
}

// During the warmup the rates are smaller than the user's.
TEST_F(MovementWatchTest, WaitsForTheEndOfTheWarmup) {
  const Settings settings = {"bf16=true", "learning_rate=1e-7", "lr_scheduler_type=constant_with_warmup",
                             "warmup_steps=3"};
  const auto noted_in = [&](int64_t steps) {
    Settings own = settings;
    own.insert(own.end(), {output("run"), "max_steps=" + std::to_string(steps)});
    train(own);
    return log_.find("note: in 10 updates") != std::string::npos;
  };
  EXPECT_FALSE(noted_in(12));
  EXPECT_TRUE(noted_in(13));
}

}  // namespace
}  // namespace galore
