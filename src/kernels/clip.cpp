#include "kernels/clip.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {

namespace {

void clip_spikes_on_cpu(at::Tensor& gradient, const at::Tensor& variance, double threshold) {
  cpu::clip_spikes(gradient.mutable_data_ptr<float>(), variance.const_data_ptr<float>(), gradient.numel(),
                   static_cast<float>(threshold));
}

double largest_on_cpu(const at::Tensor& x) {
  return cpu::largest_magnitude(x.const_data_ptr<float>(), x.numel());
}

double clipped_sum_on_cpu(const at::Tensor& x, const RatioClip& clip) {
  return cpu::clipped_sum_squares(x.const_data_ptr<float>(), x.numel(), clip);
}

void clip_and_scale_on_cpu(at::Tensor& x, const RatioClip& clip, double scale) {
  cpu::clip_and_scale(x.mutable_data_ptr<float>(), x.numel(), clip, static_cast<float>(scale));
}

const Operation<decltype(clip_spikes)> kClipSpikes("clip_spikes", {.cpu = clip_spikes_on_cpu,
                                                                   .composed = composed::clip_spikes});
const Operation<decltype(largest_magnitude)> kLargestMagnitude("largest_magnitude",
                                                               {.cpu = largest_on_cpu,
                                                                .composed = composed::largest_magnitude});
const Operation<decltype(clipped_sum_squares)> kClippedSumSquares(
    "clipped_sum_squares", {.cpu = clipped_sum_on_cpu, .composed = composed::clipped_sum_squares});
const Operation<decltype(clip_and_scale)> kClipAndScale("clip_and_scale",
                                                        {.cpu = clip_and_scale_on_cpu,
                                                         .composed = composed::clip_and_scale});

}  // namespace

void clip_spikes(at::Tensor& gradient, const at::Tensor& variance, double threshold) {
  GALORE_ASSERT(gradient.is_contiguous() && variance.is_contiguous() && gradient.numel() == variance.numel());
  kClipSpikes(gradient, gradient, variance, threshold);
}

double largest_magnitude(const at::Tensor& x) {
  GALORE_ASSERT(x.is_contiguous());
  return x.numel() == 0 ? 0 : kLargestMagnitude(x, x);
}

double clipped_sum_squares(const at::Tensor& x, const RatioClip& clip) {
  GALORE_ASSERT(x.is_contiguous());
  return kClippedSumSquares(x, x, clip);
}

void clip_and_scale(at::Tensor& x, const RatioClip& clip, double scale) {
  GALORE_ASSERT(x.is_contiguous());
  kClipAndScale(x, x, clip, scale);
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
