// Elementwise clipping of gradients, which are finite.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

// Spikes against a running second moment (SPAM, arXiv 2501.06842, section 3): where g^2 > threshold v and v >
// 0, g becomes sign(g) sqrt(threshold v). gradient, variance: fp32, the same number of elements, contiguous.
void clip_spikes(at::Tensor& gradient, const at::Tensor& variance, double threshold);

// Elements that are larger than `bound` are multiplied by `ratio` (Stable-SPAM, arXiv 2502.17055, AdaClip).
struct RatioClip {
  double bound, ratio;
};
// max |x|; 0 of an empty tensor and on the meta device. fp32, contiguous, as below.
double largest_magnitude(const at::Tensor& x);
// The sum of squares after clipping, without writing; in fp64, the same for any number of threads.
double clipped_sum_squares(const at::Tensor& x, const RatioClip& clip);
// x = clipped x times scale, in one pass.
void clip_and_scale(at::Tensor& x, const RatioClip& clip, double scale);

namespace composed {
void clip_spikes(at::Tensor& gradient, const at::Tensor& variance, double threshold);
double largest_magnitude(const at::Tensor& x);
double clipped_sum_squares(const at::Tensor& x, const RatioClip& clip);
void clip_and_scale(at::Tensor& x, const RatioClip& clip, double scale);
}  // namespace composed

namespace cpu {
void clip_spikes(float* gradient, const float* variance, int64_t count, float threshold);
float largest_magnitude(const float* x, int64_t count);
double clipped_sum_squares(const float* x, int64_t count, const RatioClip& clip);
void clip_and_scale(float* x, int64_t count, const RatioClip& clip, float scale);
}  // namespace cpu

}  // namespace galore::kernels
