// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear_combination.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include "hwy/highway.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/vector_io-inl.h"
#include "kernels/linear_combination.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rounds finite numbers to nearest even.
HWY_INLINE Float rounded_to_bfloat16(Float v) {
  const hn::RebindToUnsigned<FloatTag> whole;
  const auto bits = hn::BitCast(whole, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(whole, 1u));
  const auto moved = hn::Add(hn::Add(bits, odd), hn::Set(whole, 0x7fffu));
  return hn::BitCast(FloatTag(), hn::And(moved, hn::Set(whole, 0xffff0000u)));
}

void combine_range(const CombinationTask& task, int64_t begin, int64_t end, const Combination& combination) {
  const FloatTag d;
  const Float a = hn::Set(d, combination.a), b = hn::Set(d, combination.b);
  const bool rounds = combination.rounded == Rounded::to_bfloat16;
  for (int64_t i = begin; i < end; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(end - i);
    const Float product = hn::Mul(b, load_some(d, task.y + i, left));
    const Float sum = hn::MulAdd(a, load_some(d, task.x + i, left), product);
    store_some(d, rounds ? rounded_to_bfloat16(sum) : sum, task.out + i, left);
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(combine_range);

void combine(const CombinationTask& task, int64_t count, const Combination& combination) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(combine_range)(task, begin, end, combination);
  });
}

}  // namespace galore::kernels::cpu
#endif
