#include "kernels/clip.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

const std::vector<int64_t> kClipCounts{1, 7, 33, 2049, 200003};

// Gradients of one size with a few larger elements, and variances with some zeros.
struct Spiky {
  explicit Spiky(int64_t count)
      : gradient(random({count}, at::kFloat, 1)), variance(random({count}, at::kFloat, 2).square()) {
    gradient.slice(0, 0, count, 3).mul_(300);
    variance.slice(0, 0, count, 4).zero_();
  }
  at::Tensor gradient, variance;
};

TEST(ClipSpikes, IsTheComposedVersion) {
  for (const int64_t count : kClipCounts) {
    const Spiky data(count);
    at::Tensor fast = data.gradient.clone(), composed = data.gradient.clone();
    clip_spikes(fast, data.variance, 50);
    composed::clip_spikes(composed, data.variance, 50);
    EXPECT_TRUE(fast.allclose(composed, 1e-6, 0)) << count;  // the root is rounded once
  }
}

TEST(ClipSpikes, CutsToTheBoundAndSparesWhatHasNoVariance) {
  at::Tensor gradient = at::tensor({3.0f, -9.0f, 8.0f, -8.001f, 1e9f});
  clip_spikes(gradient, at::tensor({4.0f, 4.0f, 4.0f, 4.0f, 0.0f}), 16);
  EXPECT_TRUE(at::equal(gradient, at::tensor({3.0f, -8.0f, 8.0f, -8.0f, 1e9f})));
}

TEST(RatioClip, IsTheComposedVersion) {
  for (const int64_t count : kClipCounts) {
    const at::Tensor x = Spiky(count).gradient;
    const double largest = largest_magnitude(x);
    EXPECT_EQ(largest, composed::largest_magnitude(x));
    const RatioClip clip{largest / 3, 0.25};
    const double sum = composed::clipped_sum_squares(x, clip);
    // both multiply the ratio and an element in fp32
    EXPECT_NEAR(clipped_sum_squares(x, clip), sum, 1e-6 * sum);
    at::Tensor fast = x.clone(), composed = x.clone();
    clip_and_scale(fast, clip, 3);
    composed::clip_and_scale(composed, clip, 3);
    EXPECT_TRUE(fast.allclose(composed, 1e-6, 0)) << count;
  }
}

TEST(RatioClip, LeavesWhatIsAsLargeAsTheBound) {
  at::Tensor x = at::tensor({2.0f, -2.0f, 2.5f});
  clip_and_scale(x, {2, 0.5}, 1);
  EXPECT_TRUE(at::equal(x, at::tensor({2.0f, -2.0f, 1.25f})));
}

}  // namespace
}  // namespace galore::kernels
