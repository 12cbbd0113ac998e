// Compares APOLLO with simpler methods where they must agree. tests/vectors/family compares its formulas with
// plain scripts.
#include "optim/methods/apollo.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using namespace testing_method;

// One step of Adam without averages gives signs, N = c^-1 sign(R). For a gradient of rank one the lines of R
// are multiples of one another, so the scaled lines have equal lengths.
TEST(Apollo, GivesLinesTheSizeOfTheirDirections) {
  OneMethod apollo("apollo_adamw", "rank=4", 24, 16);
  const at::Tensor g = random({24, 1}, 1).mm(random({1, 16}, 2));
  const at::Tensor direction = apollo.full(g, 1, true);
  const at::Tensor norms = at::linalg_vector_norm(direction, 2, {1}),
                   sizes = at::linalg_vector_norm(g, 2, {1});
  EXPECT_LE((norms / norms.mean() - 1).abs().max().item<double>(), 1e-3);  // 1e-6 is added to the root of v
  EXPECT_LE(relative_difference(direction / norms.unsqueeze(1), g / sizes.unsqueeze(1)), 1e-6);
}

TEST(Apollo, OfOneFactorIsAMultipleOfTheGradient) {
  OneMethod mini("apollo_mini", "", 24, 16);
  for (int t = 1; t <= 4; ++t) {
    const at::Tensor g = decaying({24, 16}, static_cast<uint64_t>(t)), direction = mini.full(g, t, t == 1);
    const double factor = (direction.norm() / g.norm()).item<double>();
    EXPECT_GT(factor, 0);
    EXPECT_LE(relative_difference(direction, factor * g), 1e-6);
  }
}

// alpha is the root of `scale`. A factor before the limiter and one after it differ only by the limiter's
// 1e-8.
TEST(Apollo, ScalesByTheRootWhereverItStands) {
  for (const auto& [m, n] : kShapes) {
    OneMethod one("apollo_adamw", "rank=4", m, n), four("apollo_adamw", "rank=4,scale=4", m, n);
    OneMethod front("apollo_adamw", "rank=4,scale=4,scale_front=true", m, n);
    for (int t = 1; t <= 5; ++t) {
      const at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t)) * (t == 3 ? 50 : 1);
      const at::Tensor direction = one.full(g, t, t == 1);
      EXPECT_LE(relative_difference(four.full(g, t, t == 1), 2 * direction), 1e-6);
      EXPECT_LE(relative_difference(front.full(g, t, t == 1), 2 * direction), 1e-6);
    }
  }
}

TEST(Apollo, WithoutLimiterInEitherWords) {
  OneMethod off("apollo_adamw", "rank=4,limiter=0", 24, 16);
  OneMethod disabled("apollo_adamw", "rank=4,disable_nl=true", 24, 16), on("apollo_adamw", "rank=4", 24, 16);
  bool limits = false;
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor g = decaying({24, 16}, static_cast<uint64_t>(t)) * (t == 3 ? 50 : 1);
    const at::Tensor direction = off.full(g, t, t == 1);
    EXPECT_TRUE(same_bits(disabled.full(g, t, t == 1), direction));
    limits |= on.full(g, t, t == 1).norm().item<double>() < 0.95 * direction.norm().item<double>();
  }
  EXPECT_TRUE(limits);
}

// A random basis takes no memory but two numbers.
TEST(Apollo, KeepsTheRulesStateAlone) {
  OneMethod random_basis("apollo_adamw", "rank=4", 24, 16), svd("apollo_adamw", "rank=4,proj=svd", 24, 16);
  EXPECT_EQ(random_basis.ledger.total(), 4 * 2 * 24 * 4);
  EXPECT_EQ(svd.ledger.bytes(Owner::bases), 4 * 16 * 4);
}

TEST(Apollo, OfAZeroGradientIsZero) {
  OneMethod apollo("apollo_adamw", "rank=4", 24, 16);
  EXPECT_TRUE(at::equal(apollo.full(at::zeros({24, 16}), 1, true), at::zeros({24, 16})));
  EXPECT_TRUE(apollo.full(random({24, 16}, 1), 2, true).isfinite().all().item<bool>());
}

}  // namespace
}  // namespace galore
