// Compiled once per instruction set by Highway; the best one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/blockwise_8bit.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <ATen/Parallel.h>

#include <cmath>
#include <memory>
#include <vector>

#include "hwy/highway.h"
#include "kernels/blockwise_8bit.h"
#include "kernels/cpu/encode_table.h"
#include "kernels/cpu/grain.h"
#include "kernels/formulas/blockwise_8bit.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Float = hn::ScalableTag<float>;
using Int = hn::RebindToSigned<Float>;
using Byte = hn::Rebind<uint8_t, Float>;

HWY_INLINE hn::Vec<Float> decode(const float* book, const uint8_t* codes, hn::Vec<Float> scale) {
  const auto indices = hn::PromoteTo(Int(), hn::LoadU(Byte(), codes));
  return hn::Mul(hn::GatherIndex(Float(), book, indices), scale);
}

// The code of x / scale; see EncodeTable.
HWY_INLINE void encode(const EncodeTable& table, hn::Vec<Float> x, hn::Vec<Float> scale, uint8_t* codes) {
  const Float d;
  const Int i;
  const auto relative = hn::Div(x, scale);
  const auto cell = hn::BitCast(i, hn::ShiftRight<16>(hn::BitCast(hn::RebindToUnsigned<Float>(), relative)));
  const auto base = hn::GatherIndex(i, table.code.data(), cell);
  const auto boundary = hn::GatherIndex(d, table.boundary.data(), cell);
  const auto above = hn::VecFromMask(i, hn::RebindMask(i, hn::Gt(relative, boundary)));  // -1 where true
  hn::StoreU(hn::DemoteTo(Byte(), hn::Sub(base, above)), Byte(), codes);
}

// One block of first.block_size elements, a multiple of the vector; `m`, `v` are scratch of that length.
void adamw_8bit_block(const AdamStep& step, float* HWY_RESTRICT gradient, RawCodes8 first, RawCodes8 second,
                      float* HWY_RESTRICT m, float* HWY_RESTRICT v) {
  const Float d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), count = first.block_size;
  const auto beta1 = hn::Set(d, static_cast<float>(step.beta1)), rest1 = hn::Set(d, step.rest1());
  const auto beta2 = hn::Set(d, static_cast<float>(step.beta2)), rest2 = hn::Set(d, step.rest2());
  const auto epsilon = hn::Set(d, step.epsilon), correction = hn::Set(d, step.correction);
  const auto scale1 = hn::Set(d, *first.scales), scale2 = hn::Set(d, *second.scales);
  auto largest1 = hn::Zero(d), largest2 = hn::Zero(d);
  for (int64_t i = 0; i < count; i += lanes) {
    const auto g = hn::LoadU(d, gradient + i);
    const auto finite = hn::IsFinite(g);
    const auto old1 = decode(signed_code_book().data(), first.codes + i, scale1);
    const auto old2 = decode(unsigned_code_book().data(), second.codes + i, scale2);
    const auto m_new = hn::IfThenElseZero(finite, hn::MulAdd(beta1, old1, hn::Mul(rest1, g)));
    const auto v_new = hn::IfThenElseZero(finite, hn::MulAdd(beta2, old2, hn::Mul(rest2, hn::Mul(g, g))));
    largest1 = hn::Max(largest1, hn::Abs(m_new));
    largest2 = hn::Max(largest2, v_new);
    hn::StoreU(m_new, d, m + i);
    hn::StoreU(v_new, d, v + i);
    const auto direction = hn::Mul(correction, hn::Div(m_new, hn::Add(hn::Sqrt(v_new), epsilon)));
    hn::StoreU(hn::IfThenElseZero(finite, direction), d, gradient + i);
  }
  *first.scales = hn::GetLane(hn::MaxOfLanes(d, largest1));
  *second.scales = hn::GetLane(hn::MaxOfLanes(d, largest2));
  // An all-zero block divides by one instead of by zero; its codes become those of zero.
  const auto divisor1 = hn::Set(d, *first.scales > 0 ? *first.scales : 1.0f);
  const auto divisor2 = hn::Set(d, *second.scales > 0 ? *second.scales : 1.0f);
  for (int64_t i = 0; i < count; i += lanes) {
    encode(signed_encode_table(), hn::LoadU(d, m + i), divisor1, first.codes + i);
    encode(unsigned_encode_table(), hn::LoadU(d, v + i), divisor2, second.codes + i);
  }
}

// `count` elements from the start of a block. A short or odd last block goes through padded copies, so that
// every element is computed by the same instructions wherever it lies.
void adamw_8bit_range(const AdamStep& step, float* gradient, RawCodes8 m, RawCodes8 v, int64_t count) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Float()));
  const int64_t padded = (m.block_size + lanes - 1) / lanes * lanes;
  std::vector<float> scratch(static_cast<size_t>(2 * padded));
  for (int64_t block = 0; block * m.block_size < count; ++block) {
    const int64_t offset = block * m.block_size, length = std::min(m.block_size, count - offset);
    RawCodes8 first{m.codes + offset, m.scales + block, length},
        second{v.codes + offset, v.scales + block, length};
    if (length % lanes == 0) {
      adamw_8bit_block(step, gradient + offset, first, second, scratch.data(), scratch.data() + padded);
      continue;
    }
    std::vector<float> g(static_cast<size_t>(padded), 0.0f);
    std::vector<uint8_t> codes1(static_cast<size_t>(padded), formulas::kSignedZeroCode),
        codes2(static_cast<size_t>(padded), 0);
    std::copy_n(gradient + offset, length, g.begin());
    std::copy_n(first.codes, length, codes1.begin());
    std::copy_n(second.codes, length, codes2.begin());
    const int64_t whole = (length + lanes - 1) / lanes * lanes;
    adamw_8bit_block(step, g.data(), {codes1.data(), first.scales, whole},
                     {codes2.data(), second.scales, whole}, scratch.data(), scratch.data() + padded);
    std::copy_n(g.begin(), length, gradient + offset);
    std::copy_n(codes1.begin(), length, first.codes);
    std::copy_n(codes2.begin(), length, second.codes);
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(adamw_8bit_range);

void adamw_8bit_direction(const AdamStep& step, float* gradient, RawCodes8 m, RawCodes8 v, int64_t count) {
  const int64_t num_blocks = (count + m.block_size - 1) / m.block_size;
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / 4 / m.block_size);
  at::parallel_for(0, num_blocks, grain, [&](int64_t begin, int64_t end) {
    const auto from = [begin](RawCodes8 x) {
      return RawCodes8{x.codes + begin * x.block_size, x.scales + begin, x.block_size};
    };
    const int64_t offset = begin * m.block_size, length = std::min(end * m.block_size, count) - offset;
    HWY_DYNAMIC_DISPATCH(adamw_8bit_range)(step, gradient + offset, from(m), from(v), length);
  });
}

}  // namespace galore::kernels::cpu
#endif
