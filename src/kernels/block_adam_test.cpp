#include "kernels/block_adam.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

using Direction = std::function<void(const BlockAdam&, at::Tensor&, at::Tensor&, at::Tensor&)>;

struct Result {
  Result(const Direction& direction, const BlockAdam& step, int64_t rows, int64_t columns)
      : gradient(random({rows, columns}, at::kFloat, 1)),
        m(random({rows, num_blocks(columns, step.block)}, at::kFloat, 2)),
        v(random({rows, num_blocks(columns, step.block)}, at::kFloat, 3).square()) {
    direction(step, gradient, m, v);
  }
  at::Tensor gradient, m, v;
};

// The widths leave a remainder of a vector of blocks, of a block or of both, or consist of a remainder only.
TEST(BlockAdam, IsTheComposedVersion) {
  for (const int64_t block : {1, 2, 4, 8, 32}) {
    for (const int64_t columns : {1, 3, 64, 130, 257, 1376}) {
      const BlockAdam step{{0.9, 0.95, 1e-6f, 1.5f}, block, 0.25f, 0.5f};
      const std::vector<std::pair<Direction, Direction>> both{
          std::pair<Direction, Direction>{folded_adam_direction, composed::folded_adam_direction},
          {haar_adam_direction, composed::haar_adam_direction}};
      for (const auto& [fast, plain] : both) {
        const Result a(fast, step, 5, columns), b(plain, step, 5, columns);
        // The difference comes from sums of up to 32 terms in another order and from fused multiplications.
        EXPECT_LE(relative_difference(a.gradient, b.gradient), 2e-6) << block << " " << columns;
        EXPECT_LE(relative_difference(a.m, b.m), 2e-6) << block << " " << columns;
        EXPECT_LE(relative_difference(a.v, b.v), 2e-6) << block << " " << columns;
      }
    }
  }
}

// Returns the coefficients of an orthonormal Haar transform: the approximation, then details from the
// coarsest to the finest.
std::vector<at::Tensor> haar(const at::Tensor& x, int level) {
  std::vector<at::Tensor> all{x};
  for (int l = 0; l < level; ++l) {
    const at::Tensor pairs = all[0].reshape({x.size(0), -1, 2});
    const at::Tensor first = pairs.select(2, 0), second = pairs.select(2, 1);
    all[0] = (first + second) / std::sqrt(2.0);
    all.insert(all.begin() + 1, (first - second) / std::sqrt(2.0));
  }
  return all;
}

at::Tensor inverse_haar(std::vector<at::Tensor> all) {
  at::Tensor x = all[0];
  for (size_t l = 1; l < all.size(); ++l)
    x = at::stack({x + all[l], x - all[l]}, 2).reshape({x.size(0), -1}) / std::sqrt(2.0);
  return x;
}

// Repeats GWT's steps: Adam on the approximation, every detail divided by the root of its second moment, and
// the inverse transform.
TEST(BlockAdam, HaarIsTheTransformThereAndBack) {
  for (const int level : {1, 2, 3}) {
    const int64_t block = int64_t{1} << level;
    const BlockAdam step{{0.9, 0.999, 1e-3f, 2.0f}, block, 0.5f, 1};
    const Result given(haar_adam_direction, step, 6, 48);
    std::vector<at::Tensor> wave = haar(random({6, 48}, at::kFloat, 1), level);
    at::Tensor m = random({6, 48 / block}, at::kFloat, 2),
               v = random({6, 48 / block}, at::kFloat, 3).square();
    m = 0.9 * m + 0.1 * wave[0];
    v = 0.999 * v + 0.001 * wave[0].square();
    at::Tensor below = v.sqrt() + 1e-3;
    wave[0] = m / below;
    for (int l = 1; l <= level; ++l) {
      wave[static_cast<size_t>(l)] = wave[static_cast<size_t>(l)] / below;
      below = below.repeat_interleave(2, 1);
    }
    EXPECT_LE(relative_difference(given.gradient, inverse_haar(wave)), 2e-6) << level;  // fp32 rounding
  }
}

TEST(BlockAdam, HaarTellsTheNormOfItsApproximation) {
  for (const int64_t block : {4, 8}) {
    for (const int64_t columns : {1, 130, 257}) {
      // with epsilon 0 the padding zeros would give 0 / 0
      const BlockAdam step{{0.9, 0.95, 0, 1.5f}, block, 1, 1};
      at::Tensor g = random({5, columns}, at::kFloat, 1), m = at::zeros({5, num_blocks(columns, block)}),
                 v = m.clone();
      const double given = haar_adam_direction(step, g, m, v);
      const double expected = (m / v.sqrt()).square().sum(at::kDouble).item<double>();
      EXPECT_NEAR(given, expected, 2e-6 * expected);  // fp32 sums over a row
      EXPECT_TRUE(g.isfinite().all().item<bool>());
    }
  }
}

TEST(BlockAdam, OfBlocksOfOneIsAdam) {
  at::Tensor g = random({4, 33}, at::kFloat, 1), m = random({4, 33}, at::kFloat, 2),
             v = random({4, 33}, at::kFloat, 3).square();
  const AdamStep adam{0.9, 0.999, 1e-6f, 3.0f};
  composed::adamw_direction(adam, g, m, v);
  for (const Direction& direction : std::vector<Direction>{folded_adam_direction, haar_adam_direction}) {
    const Result given(direction, {adam, 1, 1, 1}, 4, 33);
    EXPECT_LE(relative_difference(given.gradient, g), 2e-6);  // fused multiplications
    EXPECT_LE(relative_difference(given.v, v), 2e-6);
  }
}

}  // namespace
}  // namespace galore::kernels
