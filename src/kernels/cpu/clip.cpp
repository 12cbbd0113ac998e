// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/clip.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "kernels/clip.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/squares-inl.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void spikes_range(float* gradient, const float* variance, int64_t count, float threshold) {
  const FloatTag d;
  const Float factor = hn::Set(d, threshold), zero = hn::Zero(d);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(count - i);
    const Float g = load_some(d, gradient + i, left);
    const Float limit = hn::Mul(factor, load_some(d, variance + i, left));
    const auto spike = hn::And(hn::Gt(hn::Mul(g, g), limit), hn::Gt(limit, zero));
    store_some(d, hn::IfThenElse(spike, hn::CopySign(hn::Sqrt(limit), g), g), gradient + i, left);
  }
}

float largest_range(const float* x, int64_t count) {
  const FloatTag d;
  Float largest = hn::Zero(d);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d)))
    largest = hn::Max(largest, hn::Abs(load_some(d, x + i, static_cast<size_t>(count - i))));
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

HWY_INLINE Float clipped(Float x, Float bound, Float ratio) {
  return hn::IfThenElse(hn::Gt(hn::Abs(x), bound), hn::Mul(x, ratio), x);
}

void clip_range(const float* x, float* out, int64_t count, const RatioClip& clip, float scale) {
  const FloatTag d;
  const Float bound = hn::Set(d, static_cast<float>(clip.bound));
  const Float ratio = hn::Set(d, static_cast<float>(clip.ratio)), factor = hn::Set(d, scale);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(count - i);
    store_some(d, hn::Mul(factor, clipped(load_some(d, x + i, left), bound, ratio)), out + i, left);
  }
}

// Works in parts that stay in the cache.
double squares_range(const float* x, int64_t count, const RatioClip& clip) {
  constexpr int64_t kPart = 2048;
  float part[kPart];
  double total = 0;
  for (int64_t i = 0; i < count; i += kPart) {
    const int64_t length = std::min(kPart, count - i);
    clip_range(x + i, part, length, clip, 1);
    total += sum_of_squares(part, length);
  }
  return total;
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(spikes_range);
HWY_EXPORT(largest_range);
HWY_EXPORT(clip_range);
HWY_EXPORT(squares_range);

namespace {

constexpr int64_t kPiece = 65536;  // one thread computes its sum, whatever the number of threads

// Returns one result for each piece.
template <typename Result, typename Function>
std::vector<Result> of_pieces(int64_t count, const Function& function) {
  std::vector<Result> results(static_cast<size_t>((count + kPiece - 1) / kPiece));
  at::parallel_for(0, static_cast<int64_t>(results.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece)
      results[static_cast<size_t>(piece)] =
          function(piece * kPiece, std::min(kPiece, count - piece * kPiece));
  });
  return results;
}

}  // namespace

void clip_spikes(float* gradient, const float* variance, int64_t count, float threshold) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(spikes_range)(gradient + begin, variance + begin, end - begin, threshold);
  });
}

float largest_magnitude(const float* x, int64_t count) {
  const auto largest = of_pieces<float>(count, [&](int64_t first, int64_t length) {
    return HWY_DYNAMIC_DISPATCH(largest_range)(x + first, length);
  });
  return *std::max_element(largest.begin(), largest.end());
}

double clipped_sum_squares(const float* x, int64_t count, const RatioClip& clip) {
  double total = 0;
  for (const double sum : of_pieces<double>(count, [&](int64_t first, int64_t length) {
         return HWY_DYNAMIC_DISPATCH(squares_range)(x + first, length, clip);
       }))
    total += sum;
  return total;
}

void clip_and_scale(float* x, int64_t count, const RatioClip& clip, float scale) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(clip_range)(x + begin, x + begin, end - begin, clip, scale);
  });
}

}  // namespace galore::kernels::cpu
#endif
