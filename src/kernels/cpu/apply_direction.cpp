// Highway compiles this file once per instruction set and chooses the best at run time. It is compiled with
// -ffp-contract=off: a bf16 weight has the same bits on every device, so a product and a difference are
// rounded separately unless the source says otherwise.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/apply_direction.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "kernels/apply_direction.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/philox-inl.h"
#include "kernels/cpu/squares-inl.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// The value that is rounded to bf16: the update of a weight, or a source tensor.
struct Updated {
  formulas::UpdateFactors factors;
  const c10::BFloat16* weight;
  const float* direction;
  HWY_INLINE Float at(FloatTag d, int64_t i, size_t left) const {
    const Float before = hn::Mul(load_some(d, weight + i, left), hn::Set(d, factors.before));
    const Float step = hn::Mul(hn::Set(d, factors.rate), load_some(d, direction + i, left));
    return hn::Mul(hn::Sub(before, step), hn::Set(d, factors.after));
  }
};
struct Source {
  const float* values;
  HWY_INLINE Float at(FloatTag d, int64_t i, size_t left) const { return load_some(d, values + i, left); }
};

template <typename Value>
HWY_INLINE void write_nearest(const Value& value, c10::BFloat16* out, int64_t begin, int64_t end) {
  const FloatTag d;
  for (int64_t i = begin; i < end; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(end - i);
    store_some(d, value.at(d, i, left), out + i, left);
  }
}

#if HWY_TARGET == HWY_SCALAR
template <typename Value>
void write_stochastic(const Value& value, c10::BFloat16* out, int64_t begin, int64_t end,
                      const RandomStream& stream) {
  constexpr int64_t kGroup = formulas::kRoundingsPerBlock;
  for (int64_t i = begin; i < end; ++i) {
    const auto words = stream.block(static_cast<uint64_t>(i / kGroup));
    const float exact = hn::GetLane(value.at(FloatTag(), i, 1));
    out[i].x = formulas::round_stochastic(exact, formulas::rounding_bits(words, i % kGroup));
  }
}
#else
// Applies formulas::round_stochastic lane by lane.
HWY_INLINE void store_stochastic(Float v, hn::Vec<WordTag> random16, c10::BFloat16* out, size_t left) {
  const FloatTag d;
  const WordTag whole;
  const hn::Rebind<uint16_t, FloatTag> half;
  const auto bits = hn::BitCast(whole, v), exponent = hn::Set(whole, 0x7f800000u);
  const auto special = hn::Eq(hn::And(bits, exponent), exponent);
  const auto carried = hn::Add(bits, hn::IfThenZeroElse(special, random16));
  const auto nan = hn::RebindMask(whole, hn::IsNaN(v));
  const auto result = hn::IfThenElse(nan, hn::Set(whole, 0x7fc0u), hn::ShiftRight<16>(carried));
  const auto narrow = hn::DemoteTo(half, hn::BitCast(hn::RebindToSigned<FloatTag>(), result));
  if (HWY_LIKELY(left >= hn::Lanes(d))) return hn::StoreU(narrow, half, reinterpret_cast<uint16_t*>(out));
  HWY_ALIGN uint16_t last[HWY_LANES(float)];
  hn::Store(narrow, half, last);
  std::memcpy(static_cast<void*>(out), last, left * sizeof(uint16_t));
}

// `begin` is a multiple of the number of elements that one vector of blocks serves. On a little-endian
// processor, the four words of a block, with two roundings each and the lower half first, are the eight
// numbers in order in memory.
template <typename Value>
void write_stochastic(const Value& value, c10::BFloat16* out, int64_t begin, int64_t end,
                      const RandomStream& stream) {
  const FloatTag d;
  const WordTag whole;
  const hn::Rebind<uint16_t, FloatTag> half;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN uint32_t words[4 * HWY_LANES(uint32_t)];
  for (int64_t first = begin; first < end; first += formulas::kRoundingsPerBlock * lanes) {
    Word x[4];
    random_blocks(stream, static_cast<uint64_t>(first / formulas::kRoundingsPerBlock), x);
    hn::StoreInterleaved4(x[0], x[1], x[2], x[3], whole, words);
    const auto* bits = reinterpret_cast<const uint16_t*>(words);
    const int64_t last = std::min(end, first + formulas::kRoundingsPerBlock * lanes);
    for (int64_t i = first; i < last; i += lanes) {
      const auto left = static_cast<size_t>(last - i);
      const auto random16 = hn::PromoteTo(whole, hn::Load(half, bits + (i - first)));
      store_stochastic(value.at(d, i, left), random16, out + i, left);
    }
  }
}
#endif

template <typename Value>
HWY_INLINE void write(const Value& value, c10::BFloat16* out, int64_t begin, int64_t end,
                      const RandomStream* stream) {
  stream ? write_stochastic(value, out, begin, end, *stream) : write_nearest(value, out, begin, end);
}

void round_range(const float* source, c10::BFloat16* out, int64_t begin, int64_t end,
                 const RandomStream* stream) {
  write(Source{source}, out, begin, end, stream);
}

void update_range_b16(const UpdateTask& task, c10::BFloat16* weight, int64_t begin, int64_t end) {
  write(Updated{task.factors, weight, task.direction}, weight, begin, end, task.stochastic);
}

// Computes like the tensor library's mul_ and add_ with a factor: the product is not rounded before it is
// subtracted.
void update_range_f32(const UpdateTask& task, float* weight, int64_t begin, int64_t end) {
  const FloatTag d;
  const Float before = hn::Set(d, task.factors.before), after = hn::Set(d, task.factors.after);
  const Float rate = hn::Set(d, task.factors.rate);
  for (int64_t i = begin; i < end; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(end - i);
    const Float decayed = hn::Mul(load_some(d, weight + i, left), before);
    const Float moved = hn::NegMulAdd(rate, load_some(d, task.direction + i, left), decayed);
    store_some(d, hn::Mul(moved, after), weight + i, left);
  }
}

double squares_range(const float* x, int64_t count) { return sum_of_squares(x, count); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(round_range);
HWY_EXPORT(update_range_b16);
HWY_EXPORT(update_range_f32);
HWY_EXPORT(squares_range);

namespace {

constexpr int64_t kSumPiece = 65536;

// Calls range(begin, end) over pieces with fixed bounds, each of which begins a new vector of random blocks.
template <typename Range>
void in_pieces(int64_t count, int64_t piece, const Range& range) {
  at::parallel_for(0, (count + piece - 1) / piece, 1,
                   [&](int64_t begin, int64_t end) { range(begin * piece, std::min(count, end * piece)); });
}

}  // namespace

void apply_direction(const UpdateTask& task, float* weight, int64_t count) {
  in_pieces(count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(update_range_f32)(task, weight, begin, end);
  });
}

void apply_direction(const UpdateTask& task, at::BFloat16* weight, int64_t count) {
  in_pieces(count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(update_range_b16)(task, weight, begin, end);
  });
}

void round_into(const float* source, at::BFloat16* destination, int64_t count,
                const RandomStream* stochastic) {
  in_pieces(count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(round_range)(source, destination, begin, end, stochastic);
  });
}

double sum_squares(const float* data, int64_t count) {
  std::vector<double> sums(static_cast<size_t>((count + kSumPiece - 1) / kSumPiece));
  in_pieces(count, kSumPiece, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kSumPiece)
      sums[static_cast<size_t>(i / kSumPiece)] =
          HWY_DYNAMIC_DISPATCH(squares_range)(data + i, std::min(kSumPiece, end - i));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace galore::kernels::cpu
#endif
