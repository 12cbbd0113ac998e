#include "kernels/line_norms.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

at::Tensor norms(const at::Tensor& matrix, Lines lines) {
  const at::Tensor out = at::empty({matrix.size(lines == Lines::rows ? 0 : 1)}, at::kDouble);
  squared_norms(out, matrix, lines);
  return out;
}

const std::vector<std::pair<int64_t, int64_t>> kShapes{{1, 1},  {3, 16},   {16, 3},   {5, 33},
                                                       {7, 15}, {127, 40}, {128, 17}, {300, 129}};

TEST(LineNorms, EqualTheComposedOnes) {
  for (const auto& [m, n] : kShapes) {
    const at::Tensor matrix = random({m, n}, at::kFloat, 1);
    for (const Lines lines : {Lines::rows, Lines::columns}) {
      const at::Tensor given = norms(matrix, lines), expected = at::empty_like(given);
      composed::squared_norms(expected, matrix, lines);
      EXPECT_TRUE(given.allclose(expected, 1e-14, 0)) << m << " x " << n;  // fp64 sums in another order
    }
  }
}

// Sums of squares of small integers are exact, so an element that is left out or counted twice is found.
TEST(LineNorms, TakeEveryElementOnce) {
  for (const auto& [m, n] : kShapes) {
    const at::Tensor matrix = at::full({m, n}, 3.0f);
    EXPECT_TRUE(norms(matrix, Lines::rows).eq(9.0 * static_cast<double>(n)).all().item<bool>());
    EXPECT_TRUE(norms(matrix, Lines::columns).eq(9.0 * static_cast<double>(m)).all().item<bool>());
  }
}

TEST(LineNorms, AreTheSameForAnyNumberOfThreads) {
  const at::Tensor matrix = random({700, 90}, at::kFloat, 2);
  const int before = at::get_num_threads();
  for (const Lines lines : {Lines::rows, Lines::columns}) {
    at::set_num_threads(1);
    const at::Tensor one = norms(matrix, lines);
    at::set_num_threads(3);
    EXPECT_TRUE(at::equal(norms(matrix, lines), one));
  }
  at::set_num_threads(before);
}

TEST(LineNorms, ServeTheWholeRangeOfFloats) {
  const at::Tensor matrix = at::full({2, 20}, 1e-30f);
  matrix[1].fill_(1e30f);
  const at::Tensor rows = norms(matrix, Lines::rows);
  EXPECT_NEAR(rows[0].item<double>() / 20e-60, 1, 1e-6);  // 1e-30f has an fp32 rounding error
  EXPECT_NEAR(rows[1].item<double>() / 20e60, 1, 1e-6);
  matrix[0][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(norms(matrix, Lines::rows)[0].item<double>()));
  EXPECT_TRUE(std::isnan(norms(matrix, Lines::columns)[3].item<double>()));
}

TEST(LineNorms, LinesAreScaledByTheirFactors) {
  const at::Tensor matrix = random({5, 7}, at::kFloat, 3), before = matrix.clone();
  const at::Tensor rows = random({5}, at::kFloat, 4), columns = random({7}, at::kFloat, 5);
  scale_lines(matrix, rows, Lines::rows);
  EXPECT_TRUE(at::equal(matrix, before * rows.unsqueeze(1)));
  matrix.copy_(before);
  scale_lines(matrix, columns, Lines::columns);
  EXPECT_TRUE(at::equal(matrix, before * columns));
}

TEST(LineNorms, DoNothingOnTheMetaDevice) {
  const at::Tensor matrix = at::empty({5, 7}, at::TensorOptions(at::kMeta).dtype(at::kFloat));
  const at::Tensor out = at::empty({5}, at::TensorOptions(at::kMeta).dtype(at::kDouble));
  EXPECT_NO_THROW(squared_norms(out, matrix, Lines::rows));
}

}  // namespace
}  // namespace galore::kernels
