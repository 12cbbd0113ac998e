// Compares MoFaSGD with simpler methods where they must agree. tests/vectors/family compares its formulas
// with plain scripts.
#include "optim/methods/mofasgd.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"
#include "optim/subspaces/failing_operator.h"

namespace galore {
namespace {

using namespace testing_method;
using testing_optimizer::FailingOperator;
using testing_optimizer::Fails;

// With full rank nothing is lost, so the direction is the polar factor of the momentum, which this test
// forms.
TEST(MofaSgd, OfFullRankIsThePolarFactorOfTheMomentum) {
  for (const auto& [m, n] : kShapes) {
    OneMethod mofasgd("mofasgd", "rank=99,momentum=0.5", m, n);
    at::Tensor momentum = at::zeros({m, n});
    for (int t = 1; t <= 5; ++t) {
      const at::Tensor g = random({m, n}, static_cast<uint64_t>(t));
      momentum = 0.5 * momentum + g;
      // Rounding moves a polar factor by its size over the smallest singular value, which is a hundredth of
      // the largest.
      EXPECT_LE(relative_difference(mofasgd.full(g, t, false), polar(momentum)), 1e-3) << m << t;
    }
  }
}

TEST(MofaSgd, HasOrthonormalFactors) {
  OneMethod mofasgd("mofasgd", "rank=4", 24, 40);
  for (int t = 1; t <= 30; ++t) {
    const Direction direction = mofasgd.direction(decaying({24, 40}, static_cast<uint64_t>(t)), t, false);
    EXPECT_TRUE(direction.left.t().mm(direction.left).allclose(at::eye(4), 0, 1e-5)) << t;
    EXPECT_TRUE(direction.right.mm(direction.right.t()).allclose(at::eye(4), 0, 1e-5)) << t;
  }
}

TEST(MofaSgd, LeavesOutWhatIsNotDetermined) {
  OneMethod mofasgd("mofasgd", "rank=4", 24, 40);
  EXPECT_TRUE(at::equal(mofasgd.full(at::zeros({24, 40}), 1, false), at::zeros({24, 40})));
  const at::Tensor g = random({24, 1}, 1).mm(random({1, 40}, 2));
  for (int t = 2; t <= 4; ++t)
    EXPECT_LE(relative_difference(mofasgd.full(g, t, false), g / g.norm()), 1e-5) << t;
  EXPECT_LE(relative_difference(mofasgd.full(at::zeros({24, 40}), 5, false), g / g.norm()), 1e-5);
}

TEST(MofaSgd, GoesOnWhereLapackFails) {
  OneMethod mofasgd("mofasgd", "rank=4", 24, 40);
  const at::Tensor before = mofasgd.full(random({24, 40}, 1), 1, false);
  const FailingOperator failing(Fails::svd);
  EXPECT_TRUE(same_bits(mofasgd.full(random({24, 40}, 2), 2, false), before));
  EXPECT_EQ(mofasgd.notices.size(), 1u);
}

}  // namespace
}  // namespace galore
