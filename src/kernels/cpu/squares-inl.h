// Sums of squares in fp64. This file is included once per instruction set.
#if defined(GALORE_SQUARES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_SQUARES_INL_H
#undef GALORE_SQUARES_INL_H
#else
#define GALORE_SQUARES_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Every instruction set uses sixteen sums and adds them in one order, so the result does not depend on the
// processor.
inline constexpr int64_t kNumSums = 16;
HWY_INLINE void add_squares(const float* x, double* sums, int64_t groups) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  constexpr size_t kLanes = HWY_LANES(double), kVectors = kNumSums / kLanes;
  hn::Vec<decltype(d)> sum[kVectors];
  for (size_t k = 0; k < kVectors; ++k) sum[k] = hn::LoadU(d, sums + k * kLanes);
  for (int64_t group = 0; group < groups; ++group, x += kNumSums) {
    for (size_t k = 0; k < kVectors; ++k) {
      const auto value = hn::PromoteTo(d, hn::LoadU(narrow, x + k * kLanes));
      sum[k] = hn::MulAdd(value, value, sum[k]);  // the product of two floats is exact in fp64
    }
  }
  for (size_t k = 0; k < kVectors; ++k) hn::StoreU(sum[k], d, sums + k * kLanes);
}

HWY_INLINE double sum_of_squares(const float* x, int64_t count) {
  double sums[kNumSums] = {}, total = 0;
  const int64_t groups = count / kNumSums;
  add_squares(x, sums, groups);
  float last[kNumSums] = {};
  std::copy(x + groups * kNumSums, x + count, last);
  add_squares(last, sums, 1);
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
