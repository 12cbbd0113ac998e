// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/random_normal.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <numbers>

#include "hwy/highway.h"
#include "kernels/cpu/philox-inl.h"
#include "kernels/random_normal.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR  // it cannot widen a product
void fill_normal(float* out, int64_t count, uint64_t block, float deviation, const RandomStream& stream) {
  galore::composed::random_normal(out, count, block, deviation, stream);
}
#else
using FloatTag = hn::ScalableTag<float>;
using Float = hn::Vec<FloatTag>;

// Returns the upper 24 bits of a word, exact in fp32.
HWY_INLINE Float upper_bits(Word word) {
  const FloatTag d;
  return hn::ConvertTo(d, hn::BitCast(hn::RebindToSigned<FloatTag>(), hn::ShiftRight<8>(word)));
}

HWY_INLINE void normal_pair(Word a, Word b, Float deviation, Float& first, Float& second) {
  const FloatTag d;
  const Float uniform = hn::Mul(hn::Add(upper_bits(a), hn::Set(d, 1.0f)), hn::Set(d, 0x1.0p-24f));
  const Float square = hn::Mul(hn::Set(d, -2.0f), hn::Log(d, uniform));
  const Float radius = hn::Mul(hn::Sqrt(hn::Max(square, hn::Zero(d))), deviation);
  const Float angle =
      hn::Mul(upper_bits(b), hn::Set(d, static_cast<float>(2 * std::numbers::pi * 0x1.0p-24)));
  first = hn::Mul(radius, hn::Cos(d, angle));
  second = hn::Mul(radius, hn::Sin(d, angle));
}

void fill_normal(float* HWY_RESTRICT out, int64_t count, uint64_t block, float deviation,
                 const RandomStream& stream) {
  const FloatTag d;
  const int64_t group = 4 * static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float last[4 * HWY_LANES(float)];
  for (int64_t i = 0; i < count; i += group, block += hn::Lanes(d)) {
    Word x[4];
    random_blocks(stream, block, x);
    Float n[4];
    normal_pair(x[0], x[1], hn::Set(d, deviation), n[0], n[1]);
    normal_pair(x[2], x[3], hn::Set(d, deviation), n[2], n[3]);
    const bool whole = i + group <= count;
    hn::StoreInterleaved4(n[0], n[1], n[2], n[3], d, whole ? out + i : last);
    if (!whole) std::copy_n(last, count - i, out + i);
  }
}

#endif
}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(fill_normal);

void random_normal(float* out, int64_t count, uint64_t first_block, float deviation,
                   const RandomStream& stream) {
  HWY_DYNAMIC_DISPATCH(fill_normal)(out, count, first_block, deviation, stream);
}

}  // namespace galore::kernels::cpu
#endif
