#include "kernels/newton_schulz.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

const std::vector<std::vector<int64_t>> kNewtonSchulzShapes{{24, 40}, {40, 24}, {32, 32}, {1, 20}, {20, 1}};

struct Polynomial {
  NewtonSchulz iteration;
  double of(double s) const {
    for (int64_t i = 0; i < iteration.steps; ++i)
      s = iteration.a * s + iteration.b * s * s * s + iteration.c * std::pow(s, 5);
    return s;
  }
};

at::Tensor start(at::IntArrayRef shape) {
  const at::Tensor x = random(shape, at::kFloat, 1);
  return x / x.norm();
}

// The iteration maps singular values and keeps their vectors.
TEST(NewtonSchulz, MapsSingularValues) {
  for (const NewtonSchulz& iteration :
       {NewtonSchulz{}, NewtonSchulz{1.5, -0.5, 0, 6}, NewtonSchulz{.steps = 0}}) {
    for (const auto& shape : kNewtonSchulzShapes) {
      Ledger ledger(at::kCPU);
      Workspace workspace(ledger);
      const at::Tensor x = start(shape);
      const auto [u, s, vh] = at::linalg_svd(x.to(at::kDouble), false);
      at::Tensor mapped = s.clone();
      for (int64_t i = 0; i < s.numel(); ++i) mapped[i] = Polynomial{iteration}.of(s[i].item<double>());
      const at::Tensor given = newton_schulz(x.clone(), iteration, workspace);
      // fp32 rounding errors in small singular values grow with the slope of five steps at 0, 3.4^5 = 480.
      EXPECT_LE(relative_difference(given, (u * mapped).mm(vh)), 1e-4) << shape;
    }
  }
}

TEST(NewtonSchulz, ConvergesToThePolarFactor) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor x = start({24, 40});
  const auto [u, s, vh] = at::linalg_svd(x, false);
  EXPECT_LE(relative_difference(newton_schulz(x.clone(), {1.5, -0.5, 0, 20}, workspace), u.mm(vh)), 1e-4);
}

at::Tensor bf16(const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); }

// Computes step by step with tensors; a tall matrix is transposed first.
at::Tensor rounded_steps(const at::Tensor& start, const NewtonSchulz& iteration) {
  const bool tall = start.size(0) > start.size(1);
  at::Tensor x = bf16(tall ? start.t().contiguous() : start);
  for (int64_t i = 0; i < iteration.steps; ++i) {
    const at::Tensor gram = bf16(x.mm(x.t()));
    const at::Tensor factor = bf16(iteration.b * gram + iteration.c * gram.mm(gram));
    x = bf16(iteration.a * x + factor.mm(x));
  }
  return tall ? x.t() : x;
}

TEST(NewtonSchulz, RoundsToBfloat16WhereTheHardwareWould) {
  const NewtonSchulz iteration{.rounded = kernels::Rounded::to_bfloat16};
  std::vector<std::vector<int64_t>> shapes = kNewtonSchulzShapes;
  shapes.insert(shapes.end(), {{128, 300}, {300, 200}, {160, 160}});  // by bf16 products if they are fast
  for (const auto& shape : shapes) {
    Ledger ledger(at::kCPU);
    Workspace workspace(ledger);
    const at::Tensor given = newton_schulz(start(shape), iteration, workspace);
    EXPECT_TRUE(at::equal(given, bf16(given)));
    // Sums in another order sometimes round to another bf16 number, and each difference of 2^-9 grows with
    // the slope.
    EXPECT_LE(relative_difference(given, rounded_steps(start(shape), iteration)), 2e-2) << shape;
  }
}

TEST(NewtonSchulz, OfZerosIsZeroAndClaimsTheSameOnTheMetaDevice) {
  for (const kernels::Rounded rounded : {kernels::Rounded::no, kernels::Rounded::to_bfloat16}) {
    Ledger ledger(at::kCPU), counting(at::kMeta);
    Workspace workspace(ledger), counted(counting);
    EXPECT_TRUE(
        at::equal(newton_schulz(at::zeros({8, 12}), {.rounded = rounded}, workspace), at::zeros({8, 12})));
    newton_schulz(at::zeros({8, 12}, at::kMeta), {.rounded = rounded}, counted);
    newton_schulz(at::ones({200, 300}), {.rounded = rounded}, workspace);
    newton_schulz(at::ones({200, 300}, at::kMeta), {.rounded = rounded}, counted);
    EXPECT_EQ(ledger.total(), counting.total());
  }
}

}  // namespace
}  // namespace galore
