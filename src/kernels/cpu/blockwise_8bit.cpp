// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/blockwise_8bit.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "hwy/highway.h"
#include "kernels/blockwise_8bit.h"
#include "kernels/cpu/encode_table.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/vector_io-inl.h"
#include "kernels/formulas/blockwise_8bit.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Both functions are plain loops, because the gather instructions of AVX2 and AVX-512 take longer than the
// same number of loads (measured on Zen 5: a step of 8-bit AdamW takes 1.5 times as long).
void look_up(const CodeBook& book, const uint8_t* codes, float* values, int64_t count) {
#pragma GCC unroll 8
  for (int64_t i = 0; i < count; ++i) values[i] = book[codes[i]];
}

// Finds the codes of values divided by their scale; see EncodeTable. NaN gets code 0.
void find_codes(const EncodeTable& table, const float* relative, uint8_t* codes, int64_t count) {
#pragma GCC unroll 4
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t first = table.first[std::bit_cast<uint32_t>(relative[i]) >> 16];
    codes[i] = static_cast<uint8_t>(first + (relative[i] > table.boundary[first]));
  }
}

HWY_INLINE void divide(float* values, float divisor, int64_t count) {
  const FloatTag d;
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d)))
    hn::StoreU(hn::Div(hn::LoadU(d, values + i), hn::Set(d, divisor)), d, values + i);
}

// Processes one block of first.block_size elements, a multiple of the vector size; `m` and `v` are scratch of
// this length.
void adamw_8bit_block(const AdamStep& step, float* HWY_RESTRICT gradient, RawCodes8 first, RawCodes8 second,
                      float* HWY_RESTRICT m, float* HWY_RESTRICT v) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), count = first.block_size;
  const auto beta1 = hn::Set(d, static_cast<float>(step.beta1)), rest1 = hn::Set(d, step.rest1());
  const auto beta2 = hn::Set(d, static_cast<float>(step.beta2)), rest2 = hn::Set(d, step.rest2());
  const auto epsilon = hn::Set(d, step.epsilon), correction = hn::Set(d, step.correction);
  const auto scale1 = hn::Set(d, *first.scales), scale2 = hn::Set(d, *second.scales);
  auto largest1 = hn::Zero(d), largest2 = hn::Zero(d);
  look_up(signed_code_book(), first.codes, m, count);
  look_up(unsigned_code_book(), second.codes, v, count);
  for (int64_t i = 0; i < count; i += lanes) {
    const auto g = hn::LoadU(d, gradient + i);
    const auto finite = hn::IsFinite(g);
    const auto old1 = hn::Mul(hn::LoadU(d, m + i), scale1);
    const auto old2 = hn::Mul(hn::LoadU(d, v + i), scale2);
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
  // An all-zero block divides by one instead of by zero; its codes become those of zero.
  divide(m, *first.scales > 0 ? *first.scales : 1.0f, count);
  divide(v, *second.scales > 0 ? *second.scales : 1.0f, count);
  find_codes(signed_encode_table(), m, first.codes, count);
  find_codes(unsigned_encode_table(), v, second.codes, count);
}

// Processes `count` elements from the start of a block. A short or odd last block uses padded copies, so that
// the same instructions compute every element at any place.
void adamw_8bit_range(const AdamStep& step, float* gradient, RawCodes8 m, RawCodes8 v, int64_t count) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
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

constexpr int64_t kChunk = 1024;  // values that stay in the first cache between two loops over them

void decode_range(const CodeBook& book, RawCodes8 source, float* values, int64_t count) {
  const FloatTag d;
  for (int64_t begin = 0; begin < count;) {
    const int64_t block = begin / source.block_size,
                  block_end = std::min(count, (block + 1) * source.block_size);
    const int64_t length = std::min(kChunk, block_end - begin);
    look_up(book, source.codes + begin, values + begin, length);
    const Float scale = hn::Set(d, source.scales[block]);
    for (int64_t i = 0; i < length; i += static_cast<int64_t>(hn::Lanes(d))) {
      const auto left = static_cast<size_t>(length - i);
      store_some(d, hn::Mul(load_some(d, values + begin + i, left), scale), values + begin + i, left);
    }
    begin += length;
  }
}

// Returns NaN if there is one.
float largest_magnitude(const float* values, int64_t count) {
  const FloatTag d;
  Float largest = hn::Zero(d), nan = hn::Zero(d);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const Float x = load_some(d, values + i, static_cast<size_t>(count - i));
    largest = hn::Max(largest, hn::Abs(x));
    nan = hn::IfThenElse(hn::IsNaN(x), x, nan);
  }
  const bool has_nan = !hn::AllFalse(d, hn::IsNaN(nan));
  return has_nan ? std::numeric_limits<float>::quiet_NaN() : hn::GetLane(hn::MaxOfLanes(d, largest));
}

// A block without a positive scale (zero or NaN) gets the codes of zeros; infinity over infinity gets the
// last code.
void encode_block(const EncodeTable& table, const float* values, float scale, uint8_t* codes, int64_t count) {
  const FloatTag d;
  const Float one = hn::Set(d, 1.0f), divisor = hn::Set(d, scale);
  HWY_ALIGN float relative[kChunk];
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t length = std::min(kChunk, count - begin);
    for (int64_t i = 0; i < length; i += static_cast<int64_t>(hn::Lanes(d))) {
      const Float x = load_some(d, values + begin + i, static_cast<size_t>(length - i));
      const Float quotient = hn::Div(x, divisor);
      const Float defined = hn::IfThenElse(hn::IsNaN(quotient), one, quotient);
      hn::Store(scale > 0 ? defined : hn::Zero(d), d, relative + i);
    }
    find_codes(table, relative, codes + begin, length);
  }
}

void encode_range(const EncodeTable& table, const float* values, RawCodes8 destination, int64_t count) {
  for (int64_t block = 0; block * destination.block_size < count; ++block) {
    const int64_t offset = block * destination.block_size;
    const int64_t length = std::min(destination.block_size, count - offset);
    destination.scales[block] = largest_magnitude(values + offset, length);
    encode_block(table, values + offset, destination.scales[block], destination.codes + offset, length);
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(adamw_8bit_range);
HWY_EXPORT(decode_range);
HWY_EXPORT(encode_range);

namespace {

RawCodes8 from_block(RawCodes8 x, int64_t block) {
  return {x.codes + block * x.block_size, x.scales + block, x.block_size};
}

// Calls range(first block, first element, number of elements).
template <typename Range>
void in_blocks(int64_t block_size, int64_t count, const Range& range) {
  const int64_t num_blocks = (count + block_size - 1) / block_size;
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / 4 / block_size);
  at::parallel_for(0, num_blocks, grain, [&](int64_t begin, int64_t end) {
    range(begin, begin * block_size, std::min(end * block_size, count) - begin * block_size);
  });
}

}  // namespace

void adamw_8bit_direction(const AdamStep& step, float* gradient, RawCodes8 m, RawCodes8 v, int64_t count) {
  in_blocks(m.block_size, count, [&](int64_t block, int64_t offset, int64_t length) {
    HWY_DYNAMIC_DISPATCH(adamw_8bit_range)
    (step, gradient + offset, from_block(m, block), from_block(v, block), length);
  });
}

void decode_8bit(RawCodes8 source, bool is_signed, float* values, int64_t count) {
  const CodeBook& book = is_signed ? signed_code_book() : unsigned_code_book();
  in_blocks(source.block_size, count, [&](int64_t block, int64_t offset, int64_t length) {
    HWY_DYNAMIC_DISPATCH(decode_range)(book, from_block(source, block), values + offset, length);
  });
}

void encode_8bit(const float* values, RawCodes8 destination, bool is_signed, int64_t count) {
  const EncodeTable& table = is_signed ? signed_encode_table() : unsigned_encode_table();
  in_blocks(destination.block_size, count, [&](int64_t block, int64_t offset, int64_t length) {
    HWY_DYNAMIC_DISPATCH(encode_range)(table, values + offset, from_block(destination, block), length);
  });
}

}  // namespace galore::kernels::cpu
#endif
