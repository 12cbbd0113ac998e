// Compares columns of the cosine transform, and the FFT that measures them, with a product.
#include "kernels/dct.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace galore {
namespace {

at::Tensor whole(int64_t n) {
  const at::Tensor q = at::empty({n, n}, at::kFloat);
  dct_columns(q, at::arange(n, at::kInt));
  return q;
}

// The widths are powers of two, primes, odd and even products, and 1 and 2.
const std::vector<int64_t> kWidths{1, 2, 3, 7, 16, 30, 45, 97, 512, 1376};

// The tolerance is the rounding of fp32 cosines, 6e-8 of 1, and of their sum.
TEST(Dct, ColumnsAreOrthonormal) {
  for (const int64_t n : kWidths) {
    const at::Tensor q = whole(n).to(at::kDouble);
    EXPECT_TRUE(q.t().matmul(q).allclose(at::eye(n, at::kDouble), 0, 1e-6)) << n;
  }
}

TEST(Dct, ColumnsAreThoseOfTheFormula) {
  const at::Tensor two = at::empty({9, 2}, at::kFloat);
  dct_columns(two, at::tensor({5, 0}, at::kInt));
  for (int64_t i = 0; i < 9; ++i)
    for (const auto& [place, j] : {std::pair<int64_t, int64_t>{0, 5}, {1, 0}}) {
      const double factor = std::sqrt((i == 0 ? 1.0 : 2.0) / 9);
      const double angle = 3.14159265358979 * static_cast<double>(i * (2 * j + 1)) / 18;
      EXPECT_NEAR(two[i][place].item<double>(), factor * std::cos(angle), 1e-7) << i << " " << j;
    }
}

// There are more rows than are transformed at a time, a transposed view, and every kind of width. The
// tolerance is the rounding of an fp32 FFT divided by the size of the largest column.
TEST(Dct, SizesAreThoseOfAProduct) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  at::manual_seed(1);
  for (const int64_t n : kWidths) {
    const at::Tensor tall = at::randn({1000, n});
    const at::Tensor expected = composed::dct_column_sizes(tall);
    const at::Tensor view = tall.t().contiguous().t();
    for (const at::Tensor& matrix : {tall, view}) {
      const at::Tensor sizes = dct_column_sizes(matrix, workspace);
      EXPECT_LE((sizes - expected).abs().max().item<double>(), 2e-6 * expected.max().item<double>()) << n;
    }
  }
}

}  // namespace
}  // namespace galore
