// Compares FRUGAL with simpler methods where they must agree. tests/vectors/family compares its formulas with
// plain scripts.
#include "optim/methods/frugal.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using namespace testing_method;

// Without signs, and until the moments are reset, FRUGAL is GaLore with scale one over the same rule.
TEST(Frugal, WithoutSignsIsGaLoreUntilARefresh) {
  for (const auto& [m, n] : kShapes) {
    OneMethod frugal("frugal_adamw", "rank=4,sign_scale=0", m, n);
    OneMethod galore("galore_adamw", "rank=4,scale=1", m, n);
    galore.settings.rule = frugal.settings.rule;
    galore.method = make_method(galore.settings, {.name = "weight", .shape = {m, n}}, galore.workspace);
    for (int t = 1; t <= 4; ++t) {
      const at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t));
      EXPECT_TRUE(same_bits(frugal.full(g, t, t == 1), galore.full(g, t, t == 1)));
    }
  }
}

TEST(Frugal, BeginsAnewAtARefresh) {
  OneMethod used("frugal_adamw", "rank=4,subspace=svd", 24, 16),
      fresh("frugal_adamw", "rank=4,subspace=svd", 24, 16);
  for (int t = 1; t <= 3; ++t) used.full(decaying({24, 16}, static_cast<uint64_t>(t)), t, t == 1);
  for (int t = 4; t <= 6; ++t) {
    const at::Tensor g = decaying({24, 16}, static_cast<uint64_t>(t));
    // Signs of basis vectors may differ; they cancel except for rounding.
    EXPECT_LE(relative_difference(used.full(g, t, t == 4), fresh.full(g, t - 3, t == 4)), 1e-5) << t;
  }
}

TEST(Frugal, TakesTheSignOfTheResidual) {
  for (const auto& [m, n] : kShapes) {
    OneMethod frugal("frugal_adamw", "rank=4,sign_scale=0.5", m, n);
    const at::Tensor g = random({m, n}, 1);
    const Direction direction = frugal.direction(g, 1, true);
    Subspace& subspace = *frugal.method->subspace();
    const at::Tensor residual = g - full(subspace.lift(subspace.project(g).clone(), 1));
    EXPECT_TRUE(at::equal(direction.dense, 0.5 * residual.sign()));  // no residual element is near zero
  }
}

TEST(Frugal, HasNoResidualOfAWholeBasis) {
  OneMethod whole("frugal_adamw", "rank=99", 24, 16);
  EXPECT_FALSE(whole.direction(random({24, 16}, 1), 1, true).dense.defined());
}

TEST(Frugal, TurnsMomentsWhereAskedTo) {
  OneMethod turning("frugal_adamw", "rank=4,sign_scale=0,moment_transport=true,subspace=svd", 24, 16);
  OneMethod galore("galore_adamw", "rank=4,scale=1,moment_transport=true,subspace=svd", 24, 16);
  galore.settings.rule = turning.settings.rule;
  galore.method = make_method(galore.settings, {.name = "weight", .shape = {24, 16}}, galore.workspace);
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor g = decaying({24, 16}, static_cast<uint64_t>(t));
    EXPECT_TRUE(same_bits(turning.full(g, t, t % 3 == 1), galore.full(g, t, t % 3 == 1)));
  }
}

}  // namespace
}  // namespace galore
