// Compares SUMO with simpler methods where they must agree. tests/vectors/family compares its formulas with
// plain scripts.
#include "optim/methods/sumo.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.h"
#include "optim/methods/test_method.h"
#include "optim/subspaces/failing_operator.h"

namespace galore {
namespace {

using namespace testing_method;
using testing_optimizer::FailingOperator;
using testing_optimizer::Fails;

// Without momentum and with a whole basis, the direction is the polar factor of the gradient.
TEST(Sumo, OfAWholeBasisIsThePolarFactor) {
  for (const auto& [m, n] : kShapes) {
    OneMethod sumo("sumo", "rank=99,momentum=0,subspace=svd", m, n);
    const double factor = std::sqrt(static_cast<double>(std::max(m, n)));
    for (int t = 1; t <= 3; ++t) {
      const at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t));
      // The tolerance is 1e-3, because singular values fall by 0.8^15 and more, and rounding of g's elements
      // moves the small directions.
      EXPECT_LE(relative_difference(sumo.full(g, t, t == 1), factor * polar(g)), 1e-3) << m << t;
    }
  }
}

// Inside the subspace the direction is orthogonal with norm one; outside it is the gradient.
TEST(Sumo, LeavesTheResidualAsItIs) {
  for (const auto& [m, n] : kShapes) {
    OneMethod sumo("sumo", "rank=4,scale=0.1", m, n);
    for (int t = 1; t <= 3; ++t) {
      const at::Tensor g = random({m, n}, static_cast<uint64_t>(t));
      const at::Tensor direction =
          sumo.full(g, t, t == 1) / (0.1 * std::sqrt(static_cast<double>(std::max(m, n))));
      Subspace& subspace = *sumo.method->subspace();
      const at::Tensor inside = subspace.project(direction).clone();
      EXPECT_TRUE(std::get<1>(at::linalg_svd(inside)).allclose(at::ones({4}), 1e-4, 1e-4));
      const auto outside = [&](const at::Tensor& x) {
        return x - full(subspace.lift(subspace.project(x).clone(), 1));
      };
      EXPECT_LE(relative_difference(outside(direction), outside(g)), 1e-5);
    }
  }
}

// A momentum of lower rank than before passes the limiter. A momentum of higher rank is let in gradually.
TEST(Sumo, LimitsTheGrowthOfThePolarFactor) {
  OneMethod sumo("sumo", "rank=4,momentum=0,subspace=orthogonal", 24, 16);
  OneMethod off("sumo", "rank=4,momentum=0,subspace=orthogonal,limiter=0", 24, 16);
  const at::Tensor one = random({24, 1}, 1).mm(random({1, 16}, 2)), all = random({24, 16}, 3);
  const double factor = std::sqrt(24.0);
  const auto norm_inside = [&](OneMethod& method, const at::Tensor& g, int t) {
    const at::Tensor direction = method.full(g, t, t == 1);
    return method.method->subspace()->project(direction).norm().item<double>() / factor;
  };
  EXPECT_NEAR(norm_inside(sumo, one, 1), 1, 1e-4);
  EXPECT_NEAR(norm_inside(sumo, all, 2), 1.1, 1e-4);
  EXPECT_NEAR(norm_inside(sumo, all, 3), 1.21, 1e-4);
  norm_inside(off, one, 1);
  EXPECT_NEAR(norm_inside(off, all, 2), 2, 1e-4);  // the root of the rank
}

// Where P P^T enlarges, the step along G - P P^T G would ascend.
TEST(Sumo, RefusesABasisThatIsNotOrthonormal) {
  try {
    const OneMethod sumo("sumo", "subspace=random", 24, 16);
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("orthonormal"), std::string::npos) << error.what();
  }
}

TEST(Sumo, GoesOnWhereLapackFails) {
  OneMethod sumo("sumo", "rank=4,momentum=0", 24, 16), reference("sumo", "rank=4,momentum=0", 24, 16);
  const at::Tensor g = random({24, 16}, 1), next = random({24, 16}, 2);
  sumo.full(g, 1, true), reference.full(g, 1, true);
  const at::Tensor expected = reference.full(next, 2, false);
  const FailingOperator failing(Fails::eigh);
  EXPECT_LE(relative_difference(sumo.full(next, 2, false), expected), 1e-4);
}

}  // namespace
}  // namespace galore
