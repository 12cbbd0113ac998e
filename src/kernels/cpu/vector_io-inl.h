// Loads and stores vectors of floats from and to memory that holds fp32 or bf16. This file is included once
// per instruction set.
#if defined(GALORE_VECTOR_IO_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_VECTOR_IO_INL_H
#undef GALORE_VECTOR_IO_INL_H
#else
#define GALORE_VECTOR_IO_INL_H
#endif

#include <c10/util/BFloat16.h>
#include <hwy/highway.h>

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using Float = hn::Vec<FloatTag>;

HWY_INLINE Float load(FloatTag d, const float* p) { return hn::LoadU(d, p); }
HWY_INLINE Float load(FloatTag d, const c10::BFloat16* p) {
  const hn::Rebind<uint16_t, FloatTag> half;
  const hn::RebindToUnsigned<FloatTag> whole;
  const auto bits = hn::LoadU(half, reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(whole, bits)));
}

HWY_INLINE void store(FloatTag d, Float v, float* p) { hn::StoreU(v, d, p); }
// Rounds to nearest even; NaN stays NaN.
HWY_INLINE void store(FloatTag d, Float v, c10::BFloat16* p) {
  const hn::Rebind<uint16_t, FloatTag> half;
  const hn::RebindToUnsigned<FloatTag> whole;
  const hn::RebindToSigned<FloatTag> integer;
  const auto bits = hn::BitCast(whole, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(whole, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, odd), hn::Set(whole, 0x7fffu)));
  const auto nan = hn::RebindMask(whole, hn::IsNaN(v));
  const auto result = hn::IfThenElse(nan, hn::Set(whole, 0x7fc0u), rounded);
  hn::StoreU(hn::DemoteTo(half, hn::BitCast(integer, result)), half, reinterpret_cast<uint16_t*>(p));
  (void)d;
}

// Loads the first `count` lanes and sets the others to zero; count may exceed the number of lanes.
template <typename T>
HWY_INLINE Float load_some(FloatTag d, const T* p, size_t count) {
  if (HWY_LIKELY(count >= hn::Lanes(d))) return load(d, p);
  alignas(64) T buffer[HWY_LANES(float)];
  std::memset(static_cast<void*>(buffer), 0, sizeof(buffer));
  std::memcpy(static_cast<void*>(buffer), p, count * sizeof(T));
  return load(d, buffer);
}
template <typename T>
HWY_INLINE void store_some(FloatTag d, Float v, T* p, size_t count) {
  if (HWY_LIKELY(count >= hn::Lanes(d))) return store(d, v, p);
  alignas(64) T buffer[HWY_LANES(float)];
  store(d, v, buffer);
  std::memcpy(static_cast<void*>(p), buffer, count * sizeof(T));
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
