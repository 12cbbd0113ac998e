#include "kernels/clip.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore::kernels {

void clip_spikes(at::Tensor& gradient, const at::Tensor& variance, double threshold) {
  GALORE_ASSERT(gradient.is_contiguous() && variance.is_contiguous() && gradient.numel() == variance.numel());
  if (gradient.is_meta()) return;
  if (!gradient.is_cpu()) return composed::clip_spikes(gradient, variance, threshold);
  cpu::clip_spikes(gradient.mutable_data_ptr<float>(), variance.const_data_ptr<float>(), gradient.numel(),
                   static_cast<float>(threshold));
}

double largest_magnitude(const at::Tensor& x) {
  GALORE_ASSERT(x.is_contiguous());
  if (x.is_meta() || x.numel() == 0) return 0;
  if (!x.is_cpu()) return composed::largest_magnitude(x);
  return cpu::largest_magnitude(x.const_data_ptr<float>(), x.numel());
}

double clipped_sum_squares(const at::Tensor& x, const RatioClip& clip) {
  GALORE_ASSERT(x.is_contiguous());
  if (x.is_meta()) return 0;
  if (!x.is_cpu()) return composed::clipped_sum_squares(x, clip);
  return cpu::clipped_sum_squares(x.const_data_ptr<float>(), x.numel(), clip);
}

void clip_and_scale(at::Tensor& x, const RatioClip& clip, double scale) {
  GALORE_ASSERT(x.is_contiguous());
  if (x.is_meta()) return;
  if (!x.is_cpu()) return composed::clip_and_scale(x, clip, scale);
  cpu::clip_and_scale(x.mutable_data_ptr<float>(), x.numel(), clip, static_cast<float>(scale));
}

namespace composed {
namespace {

at::Tensor clipped(const at::Tensor& x, const RatioClip& clip) {
  return at::where(x.abs() > clip.bound, x * clip.ratio, x);
}

}  // namespace

void clip_spikes(at::Tensor& gradient, const at::Tensor& variance, double threshold) {
  const at::Tensor limit = (variance.reshape(gradient.sizes()) * threshold);
  const at::Tensor spike = at::logical_and(gradient.square() > limit, limit > 0);
  gradient.copy_(at::where(spike, gradient.sign() * limit.sqrt(), gradient));
}

double largest_magnitude(const at::Tensor& x) { return x.abs().max().item<double>(); }

double clipped_sum_squares(const at::Tensor& x, const RatioClip& clip) {
  return clipped(x, clip).to(at::kDouble).square().sum().item<double>();
}

void clip_and_scale(at::Tensor& x, const RatioClip& clip, double scale) { x.copy_(clipped(x, clip) * scale); }

}  // namespace composed
}  // namespace galore::kernels
