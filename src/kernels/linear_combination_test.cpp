#include "kernels/linear_combination.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

const std::vector<int64_t> kCounts{1, 7, 33, 100003};

TEST(Combine, IsTheComposedVersion) {
  for (const int64_t count : kCounts) {
    const at::Tensor x = random({count}, at::kFloat, 1), y = random({count}, at::kFloat, 2);
    for (const Rounded rounded : {Rounded::no, Rounded::to_bfloat16}) {
      at::Tensor fast = x.clone(), composed = x.clone();
      combine(fast, fast, y, {1.5f, -0.7f, rounded});
      composed::combine(composed, composed, y, {1.5f, -0.7f, rounded});
      // The difference comes from a fused multiplication; with rounding to bf16 it may change one element in
      // some thousands.
      EXPECT_LE(relative_difference(fast, composed), rounded == Rounded::no ? 1e-6 : 1e-3) << count;
      if (rounded == Rounded::to_bfloat16) {
        EXPECT_TRUE(at::equal(fast, fast.to(at::kBFloat16).to(at::kFloat)));
      }
    }
  }
}

// With factors of one and zero there is only one rounding, which equals the library's.
TEST(Combine, RoundsToNearestEven) {
  const at::Tensor x =
      at::cat({random({100000}, at::kFloat, 3), at::tensor({1.00390625f, 1.01171875f, -1.00390625f})});
  const at::Tensor out = at::empty_like(x);
  combine(out, x, at::zeros_like(x), {1, 0, Rounded::to_bfloat16});
  EXPECT_TRUE(at::equal(out, x.to(at::kBFloat16).to(at::kFloat)));
}

}  // namespace
}  // namespace galore::kernels
