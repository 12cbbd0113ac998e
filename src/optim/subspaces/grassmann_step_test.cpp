#include "optim/subspaces/grassmann_step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::decaying;
using testing_optimizer::orthonormal;
using testing_optimizer::random;

class GrassmannStep : public testing::Test {
 protected:
  at::Tensor step(const at::Tensor& gradient, Side side, const at::Tensor& basis, double size = 1) {
    const at::Tensor moved = grassmann_step(DenseGradient(gradient), side, basis, size, workspace_);
    return moved.defined() ? moved.clone() : moved;
  }
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

// Computes the paper's formula in fp64 with the whole residual.
at::Tensor exact_step(const at::Tensor& h, const at::Tensor& basis, double size) {
  const at::Tensor g = h.to(at::kDouble), s = basis.to(at::kDouble), a = s.t().mm(g);
  const auto [u, sigma, vh] = at::linalg_svd(2 * (g - s.mm(a)).mm(a.t()), false);
  const at::Tensor v = vh.narrow(0, 0, 1).t(), first = u.narrow(1, 0, 1);
  const double along = a.t().mm(v).square().sum().item<double>();
  const double angle = size * std::atan2(sigma[0].item<double>() / 2, along);
  return s - s.mm(v).mm(v.t()) + (s.mm(v) * std::cos(angle) + first * std::sin(angle)).mm(v.t());
}

TEST_F(GrassmannStep, FollowsItsFormula) {
  for (const double size : {1.0, 0.3, 2.0}) {
    const at::Tensor g = decaying({24, 40}, 1);
    const at::Tensor left = orthonormal(24, 5, 2), right = orthonormal(40, 5, 3);
    // The tolerance is fp32 rounding of sums of some 40 terms, divided by the gap between the two leading
    // singular values.
    EXPECT_TRUE(step(g, Side::left, left, size).to(at::kDouble).allclose(exact_step(g, left, size), 0, 1e-5));
    EXPECT_TRUE(
        step(g, Side::right, right, size).to(at::kDouble).allclose(exact_step(g.t(), right, size), 0, 1e-5));
  }
}

TEST_F(GrassmannStep, FindsTheLeadingDirectionsByAndBy) {
  const at::Tensor g = decaying({24, 40}, 1);
  const auto [u, s, vh] = at::linalg_svd(g, false);
  const double best = s.narrow(0, 0, 3).square().sum().item<double>();
  at::Tensor basis = orthonormal(24, 3, 2);
  double before = 0;
  for (int i = 0; i < 60; ++i) {
    const double inside = basis.t().mm(g).square().sum().item<double>();
    EXPECT_GE(inside, before * (1 - 1e-6)) << "a step of power iteration loses nothing";
    before = inside;
    basis = step(g, Side::left, basis);
    EXPECT_TRUE(basis.t().mm(basis).allclose(at::eye(3), 0, 1e-5));
  }
  EXPECT_GT(before, 0.99 * best);
}

TEST_F(GrassmannStep, StaysWhereTheGradientSaysNothing) {
  const at::Tensor basis = orthonormal(24, 4, 2);
  EXPECT_FALSE(step(at::zeros({24, 10}), Side::left, basis).defined());
  const at::Tensor bad = at::full({24, 10}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(step(bad, Side::left, basis).defined());
  // For a gradient inside the subspace only rounding errors lead out of it, by an angle of rounding size.
  const at::Tensor moved = step(basis.mm(random({4, 10}, 3)), Side::left, basis);
  EXPECT_TRUE(!moved.defined() || moved.allclose(basis, 0, 1e-5));
}

}  // namespace
}  // namespace galore
