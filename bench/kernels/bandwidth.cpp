// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/kernels/bandwidth.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <functional>

#include "bench/kernels/bandwidth.h"
#include "bench/kernels/clock.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace galore::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void triad_range(float* HWY_RESTRICT a, const float* b, const float* c, int64_t count, bool past_caches) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, 0.5f);
  for (int64_t i = 0; i < count; i += lanes) {
    const auto sum = hn::MulAdd(factor, hn::Load(d, c + i), hn::Load(d, b + i));
    past_caches ? hn::Stream(sum, d, a + i) : hn::Store(sum, d, a + i);
  }
}

void scale_range(float* a, const float* b, int64_t count) {
  const hn::ScalableTag<float> d;
  // so near to 1 that thousands of multiplications in place stay finite
  const auto factor = hn::Set(d, 1.0f + 0x1p-20f);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d)))
    hn::Store(hn::Mul(factor, hn::Load(d, b + i)), d, a + i);
}

float sum_range(const float* a, int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  for (int64_t i = 0; i < count; i += 4 * lanes) {
    sum0 = hn::Add(sum0, hn::Load(d, a + i));
    sum1 = hn::Add(sum1, hn::Load(d, a + i + lanes));
    sum2 = hn::Add(sum2, hn::Load(d, a + i + 2 * lanes));
    sum3 = hn::Add(sum3, hn::Load(d, a + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

}  // namespace galore::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::bench {
HWY_EXPORT(triad_range);
HWY_EXPORT(scale_range);
HWY_EXPORT(sum_range);

namespace {

volatile float sum_sink;  // keeps the compiler from leaving out a sum that nobody reads

// Each array has 128 MiB, four times a last-level cache of 32 MiB. A piece is a whole number of vectors in
// every instruction set.
constexpr int64_t kPiece = 1 << 16, kPieces = 512;

double timed(double bytes_per_element, const std::function<void(int64_t, int64_t)>& range) {
  const double begin = now();
  at::parallel_for(0, kPieces, 1,
                   [&](int64_t first, int64_t end) { range(first * kPiece, (end - first) * kPiece); });
  return bytes_per_element * double(kPieces * kPiece) / (now() - begin);
}

}  // namespace

Bandwidth::Bandwidth() : a_(at::zeros({kPieces * kPiece})), b_(at::ones_like(a_)), c_(at::ones_like(a_)) {}

double Bandwidth::bytes_per_second(Stream stream) {
  float *a = a_.data_ptr<float>(), *b = b_.data_ptr<float>(), *c = c_.data_ptr<float>();
  switch (stream) {
    case Stream::in_place:
    case Stream::plain_copy:
      return timed(8, [=](int64_t from, int64_t count) {
        HWY_DYNAMIC_DISPATCH(scale_range)(a + from, (stream == Stream::in_place ? a : b) + from, count);
      });
    case Stream::read:
      return timed(4, [=](int64_t from, int64_t count) {
        sum_sink = HWY_DYNAMIC_DISPATCH(sum_range)(a + from, count);
      });
    default:
      return timed(12, [=](int64_t from, int64_t count) {
        HWY_DYNAMIC_DISPATCH(triad_range)(a + from, b + from, c + from, count, stream == Stream::triad);
      });
  }
}

}  // namespace galore::bench
#endif
