// Compares FOAM and GWT with simpler methods where they must agree. tests/vectors/family tests their numbers.
#include "optim/methods/foam.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/methods/gwt.h"
#include "optim/presets.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::all_kinds;
using testing_optimizer::kTall;
using testing_optimizer::kWide;
using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::TestRun;

TEST(Foam, OfLevelZeroIsAdam) {
  TestRun foam("foam_adamw", "level=0,scale=1", all_kinds());
  TestRun gwt("gwt_adamw", "level=0,scale=1,limiter=0,beta2=0.95,eps=1e-8", all_kinds());
  OptimizerOptions none;
  none.target_modules = {"no_such_module"};
  TestRun adam("foam_adamw", "", all_kinds(), none);
  for (uint64_t t = 1; t <= 4; ++t) foam.update(t), gwt.update(t), adam.update(t);
  for (const auto& [name, start] : all_kinds()) {
    // The displacements differ by fused multiplications in one of the runs.
    EXPECT_LE(relative_difference(foam.weight(name) - start, adam.weight(name) - start), 1e-5) << name;
    EXPECT_LE(relative_difference(gwt.weight(name) - start, adam.weight(name) - start), 1e-5) << name;
  }
}

// When the gradient is constant over blocks there is no residual, and Adam sees every element's own history.
TEST(Foam, OfAGradientConstantOverBlocksIsAdam) {
  TestRun foam("foam_adamw", "scale=1", {{kTall, random({24, 16}, 1)}});
  TestRun adam("adamw_torch", "beta2=0.95", {{kTall, random({24, 16}, 1)}});
  for (uint64_t t = 1; t <= 4; ++t) {
    const at::Tensor g = random({24, 4}, 10 + t).repeat_interleave(4, 1);
    foam.update({{g}}), adam.update({{g}});
  }
  // Epsilon is added at different places: 1e-8, to gradients of about 1.
  EXPECT_LE(relative_difference(foam.weight(kTall), adam.weight(kTall)), 1e-6);
}

// When the gradient is constant over blocks there are no details, and the direction's norm is the norm of the
// coarse part. With a constant gradient M / sqrt(V) would grow from 3.2 to 4.2 to 4.9 without a limit.
TEST(Gwt, LimitsTheGrowthOfTheCoarsePart) {
  TestRun limited("gwt_adamw", "scale=1", {{kWide, at::zeros({16, 24})}});
  TestRun free("gwt_adamw", "scale=1,limiter=0", {{kWide, at::zeros({16, 24})}});
  const at::Tensor g = random({16, 6}, 20).repeat_interleave(4, 1);
  double previous = 0;
  for (int t = 1; t <= 3; ++t) {
    const at::Tensor before = limited.weight(kWide).clone();
    limited.update({{g}}), free.update({{g}});
    const double correction = std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    const double size = (limited.weight(kWide) - before).norm().item<double>() / correction;
    if (t > 1) {
      EXPECT_NEAR(size / previous, 1.01, 1e-4) << t;  // the weights are fp32
    }
    previous = size;
  }
  EXPECT_GT(free.weight(kWide).norm().item<double>(), 1.2 * limited.weight(kWide).norm().item<double>());
}

}  // namespace
}  // namespace galore
