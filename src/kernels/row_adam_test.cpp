#include "kernels/row_adam.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

TEST(RowAdam, IsTheComposedVersion) {
  const AdamStep step{0.9, 0.999, 1e-3f, 2.0f};
  for (const auto& [rows, columns] : {std::pair{1, 1}, {5, 7}, {3, 300}, {700, 33}}) {
    at::Tensor g1 = random({rows, columns}, at::kFloat, 1), m1 = random({rows, columns}, at::kFloat, 2);
    at::Tensor v1 = random({rows}, at::kFloat, 3).square(), g2 = g1.clone(), m2 = m1.clone(), v2 = v1.clone();
    row_adam_direction(step, g1, m1, v1);
    composed::row_adam_direction(step, g2, m2, v2);
    // The difference comes from fused multiplications, and from fp64 sums instead of fp32.
    EXPECT_LE(relative_difference(g1, g2), 2e-6) << rows << " " << columns;
    EXPECT_LE(relative_difference(m1, m2), 2e-6);
    EXPECT_LE(relative_difference(v1, v2), 2e-6);
  }
}

TEST(RowAdam, OfRowsOfOneElementIsAdam) {
  const AdamStep step{0.9, 0.999, 1e-3f, 2.0f};
  at::Tensor g1 = random({50, 1}, at::kFloat, 1), m1 = random({50, 1}, at::kFloat, 2),
             v1 = random({50, 1}, at::kFloat, 3).square();
  at::Tensor g2 = g1.clone(), m2 = m1.clone(), v2 = v1.clone();
  row_adam_direction(step, g1, m1, v1);
  adamw_direction(step, g2, m2, v2);
  EXPECT_LE(relative_difference(g1, g2), 2e-6);
  EXPECT_LE(relative_difference(v1, v2), 2e-6);
}

}  // namespace
}  // namespace galore::kernels
