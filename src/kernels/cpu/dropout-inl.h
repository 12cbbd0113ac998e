// The factors of a dropout segment (kernels/dropout.h). This file is included once per instruction set.
#if defined(GALORE_DROPOUT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_DROPOUT_INL_H
#undef GALORE_DROPOUT_INL_H
#else
#define GALORE_DROPOUT_INL_H
#endif

#include "kernels/cpu/philox-inl.h"
#include "kernels/dropout.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Sets each of the 64 factors to 0 or scale.kept.
HWY_INLINE void dropout_factors(float* HWY_RESTRICT factors, const RandomStream& stream, uint64_t segment,
                                const DropoutScale& scale) {
  constexpr size_t kBlocks = 16;
#if HWY_TARGET == HWY_SCALAR  // which cannot widen a product
  for (size_t block = 0; block < kBlocks; ++block) {
    const auto words = stream.block(segment * kBlocks + block);
    for (size_t word = 0; word < 4; ++word)
      factors[word * kBlocks + block] = words[word] < scale.threshold ? 0 : scale.kept;
  }
#else
  const WordTag d;
  const hn::RebindToFloat<WordTag> f;
  static_assert(HWY_LANES(uint32_t) <= kBlocks, "a vector holds at most the blocks of a segment");
  for (size_t block = 0; block < kBlocks; block += hn::Lanes(d)) {
    Word x[4];
    random_blocks(stream, segment * kBlocks + block, x);
    for (size_t word = 0; word < 4; ++word) {
      const auto dropped = hn::RebindMask(f, hn::Lt(x[word], hn::Set(d, scale.threshold)));
      hn::StoreU(hn::IfThenZeroElse(dropped, hn::Set(f, scale.kept)), f, factors + word * kBlocks + block);
    }
  }
#endif
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
