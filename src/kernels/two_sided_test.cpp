#include "kernels/two_sided.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

struct Case {
  Case(int64_t m, int64_t n)
      : gradient(random({m, n}, at::kFloat, 1)),
        columns(random({n}, at::kFloat, 2).square()),
        rows(at::empty({m})),
        sums(at::empty({n}, at::kDouble)) {}
  at::Tensor gradient, columns, rows, sums;
};

const std::vector<std::pair<int64_t, int64_t>> kTwoSidedShapes{
    {1, 1}, {5, 7}, {64, 33}, {200, 130}, {3, 1000}};

TEST(TwoSided, WeighsAsTheComposedVersion) {
  for (const auto& [m, n] : kTwoSidedShapes) {
    for (const RowWeight weight : {RowWeight::product, RowWeight::quotient}) {
      const Case fast(m, n), plain(m, n);
      weigh_rows_then_columns(fast.rows, fast.sums, fast.gradient, fast.columns, {weight, 3});
      composed::weigh_rows_then_columns(plain.rows, plain.sums, plain.gradient, plain.columns, {weight, 3});
      // The tolerance is for fp32 sums of up to 1000 positive terms.
      EXPECT_LE(relative_difference(fast.rows, plain.rows), 2e-6) << m << " " << n;
      EXPECT_LE(relative_difference(fast.sums, plain.sums), 2e-6) << m << " " << n;
    }
  }
}

TEST(TwoSided, ARowOfZerosWeighsNothing) {
  Case one(4, 5);
  one.gradient[2].zero_();
  weigh_rows_then_columns(one.rows, one.sums, one.gradient, one.columns, {RowWeight::quotient, 1});
  EXPECT_EQ(one.rows[2].item<float>(), 0);
  EXPECT_TRUE(one.sums.isfinite().all().item<bool>());
}

TEST(TwoSided, ScalesAsTheComposedVersion) {
  for (const auto& [m, n] : kTwoSidedShapes) {
    const Case fast(m, n), plain(m, n);
    const at::Tensor rows = random({m}, at::kFloat, 3);
    const double a = scale_rows_and_columns(fast.gradient, rows, fast.columns);
    const double b = composed::scale_rows_and_columns(plain.gradient, rows, plain.columns);
    EXPECT_NEAR(a, b, 1e-9 * b);  // both sum equal bits in fp64
    EXPECT_TRUE(at::equal(fast.gradient, plain.gradient));
  }
}

}  // namespace
}  // namespace galore::kernels
