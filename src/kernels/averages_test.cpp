#include "kernels/averages.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

// the counts leave remainders of vectors and use several threads
const std::vector<int64_t> kAveraged{1, 7, 33, 100003};
constexpr double kFused = 1e-6;  // fused multiplications and additions are rounded once

TEST(AverageGradient, IsTheComposedVersion) {
  for (const int64_t count : kAveraged) {
    for (const Averaging averaging : {Averaging{0.9, 0.1}, Averaging{0.9, 0.1, true, 0.1},
                                      Averaging{0.9, 0.7, true}, Averaging{0.8, 1}}) {
      const at::Tensor start = random({count}, at::kFloat, 1), g = random({count}, at::kFloat, 2);
      const at::Tensor a1 = start.clone(), g1 = g.clone(), a2 = start.clone(), g2 = g.clone();
      average_gradient(a1, g1, averaging);
      composed::average_gradient(a2, g2, averaging);
      EXPECT_LE(relative_difference(a1, a2), kFused);
      EXPECT_LE(relative_difference(g1, g2), kFused);
    }
  }
}

TEST(ScaleByRoot, IsTheComposedVersion) {
  for (const int64_t count : kAveraged) {
    const at::Tensor start = random({count}, at::kFloat, 1).square(), g = random({count}, at::kFloat, 2);
    const at::Tensor a1 = start.clone(), g1 = g.clone(), a2 = start.clone(), g2 = g.clone();
    scale_by_root(a1, g1, {0.99, 1e-8});
    composed::scale_by_root(a2, g2, {0.99, 1e-8});
    EXPECT_LE(relative_difference(a1, a2), kFused);
    EXPECT_LE(relative_difference(g1, g2), kFused);
  }
}

TEST(ScaleByRoot, OfZerosIsZero) {
  const at::Tensor average = at::zeros({5}), gradient = at::zeros({5});
  scale_by_root(average, gradient, {0.99, 1e-8});
  EXPECT_TRUE(at::equal(gradient, at::zeros({5})));
}

}  // namespace
}  // namespace galore::kernels
