// Elementwise clipping of finite gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

// Clips spikes against a running second moment (SPAM, arXiv 2501.06842, section 3): where g^2 > threshold v
// and v > 0, g becomes sign(g) sqrt(threshold v). gradient and variance are fp32, contiguous, and have the
// same number of elements.
void clip_spikes(at::Tensor& gradient, const at::Tensor& variance, double threshold);

// Multiplies elements larger than `bound` by `ratio` (Stable-SPAM, arXiv 2502.17055, AdaClip).
struct RatioClip {
  double bound, ratio;
};
// Returns max |x|, or 0 for an empty tensor and on the meta device. x is fp32 and contiguous in this and the
// next functions.
double largest_magnitude(const at::Tensor& x);
// Returns the sum of squares after clipping, without writing. It is computed in fp64 and the same for any
// number of threads.
double clipped_sum_squares(const at::Tensor& x, const RatioClip& clip);
// Computes x = clipped x times scale, in one pass.
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
