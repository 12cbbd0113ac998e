// Philox 4x32-10 of core/philox.h, one block for each lane. This file is included once per instruction set.
// HWY_SCALAR is not supported, because it cannot widen a product.
#if defined(GALORE_PHILOX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_PHILOX_INL_H
#undef GALORE_PHILOX_INL_H
#else
#define GALORE_PHILOX_INL_H
#endif

#include <hwy/highway.h>

#include "core/philox.h"
#include "core/random.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
using WordTag = hn::ScalableTag<uint32_t>;
using Word = hn::Vec<WordTag>;

// Returns the upper halves of the 64-bit products, lane by lane.
HWY_INLINE Word multiply_high(Word a, Word b) {
  const WordTag d;
  const hn::RepartitionToWide<WordTag> wide;
  const auto even = hn::MulEven(a, b);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a))),
                               hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, b))));
  const auto upper = hn::Set(wide, 0xffffffff00000000ULL);
  return hn::BitCast(d, hn::Or(hn::ShiftRight<32>(even), hn::And(odd, upper)));
}

HWY_INLINE void philox_rounds(Word (&x)[4], std::array<uint32_t, 2> key) {
  const WordTag d;
  const Word multiplier0 = hn::Set(d, kPhiloxMultipliers[0]);
  const Word multiplier1 = hn::Set(d, kPhiloxMultipliers[1]);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const Word high0 = multiply_high(x[0], multiplier0), low0 = hn::Mul(x[0], multiplier0);
    const Word high1 = multiply_high(x[2], multiplier1), low1 = hn::Mul(x[2], multiplier1);
    x[0] = hn::Xor(hn::Xor(high1, x[1]), hn::Set(d, key[0]));
    x[1] = low1;
    x[2] = hn::Xor(hn::Xor(high0, x[3]), hn::Set(d, key[1]));
    x[3] = low0;
    key[0] += kPhiloxKeySteps[0];
    key[1] += kPhiloxKeySteps[1];
  }
}

// Computes block `block` + i of the stream in lane i of the four vectors.
HWY_INLINE void random_blocks(const RandomStream& stream, uint64_t block, Word (&x)[4]) {
  const WordTag d;
  HWY_ALIGN uint32_t low[HWY_LANES(uint32_t)], high[HWY_LANES(uint32_t)];
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane, ++block) {
    low[lane] = static_cast<uint32_t>(block);
    high[lane] = static_cast<uint32_t>(block >> 32);
  }
  x[0] = hn::Load(d, low);
  x[1] = hn::Load(d, high);
  x[2] = hn::Set(d, static_cast<uint32_t>(stream.step()));
  x[3] = hn::Set(d, static_cast<uint32_t>(stream.step() >> 32));
  philox_rounds(x, stream.key());
}
#endif

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
