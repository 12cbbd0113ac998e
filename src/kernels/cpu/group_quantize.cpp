// Highway compiles this file once per instruction set and chooses the best at run time. It is compiled with
// -ffp-contract=off, so that codes are equal on every processor and device.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/group_quantize.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/philox-inl.h"
#include "kernels/cpu/vector_io-inl.h"
#include "kernels/formulas/group_quantize.h"
#include "kernels/group_quantize.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

using ByteTag = hn::Rebind<uint8_t, FloatTag>;
using IntTag = hn::RebindToSigned<FloatTag>;

HWY_INLINE Float load_codes(FloatTag d, const uint8_t* codes, size_t left) {
  const ByteTag bytes;
  if (HWY_LIKELY(left >= hn::Lanes(d)))
    return hn::ConvertTo(d, hn::PromoteTo(IntTag(), hn::LoadU(bytes, codes)));
  HWY_ALIGN uint8_t last[HWY_LANES(float)] = {};
  std::memcpy(last, codes, left);
  return hn::ConvertTo(d, hn::PromoteTo(IntTag(), hn::Load(bytes, last)));
}

HWY_INLINE void store_codes(FloatTag d, Float values, uint8_t* codes, size_t left) {
  const ByteTag bytes;
  const auto narrow = hn::DemoteTo(bytes, hn::ConvertTo(IntTag(), values));
  if (HWY_LIKELY(left >= hn::Lanes(d))) return hn::StoreU(narrow, bytes, codes);
  HWY_ALIGN uint8_t last[HWY_LANES(float)];
  hn::Store(narrow, bytes, last);
  std::memcpy(codes, last, left);
}

// Convert between two codes in a byte and one code in a byte, for `count` codes.
void unpack(const uint8_t* pairs, uint8_t* codes, int64_t count) {
  const hn::ScalableTag<uint8_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const auto both = hn::LoadU(d, pairs + i / 2);
    const auto upper = hn::And(hn::ShiftRight<4>(both), hn::Set(d, uint8_t{15}));
    hn::StoreInterleaved2(hn::And(both, hn::Set(d, uint8_t{15})), upper, d, codes + i);
  }
  for (; i < count; ++i) codes[i] = (pairs[i / 2] >> (4 * (i % 2))) & 15;
}

void pack(const uint8_t* codes, uint8_t* pairs, int64_t count) {
  const hn::ScalableTag<uint8_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    hn::Vec<decltype(d)> lower, upper;
    hn::LoadInterleaved2(d, codes + i, lower, upper);
    hn::StoreU(hn::Or(lower, hn::ShiftLeft<4>(upper)), d, pairs + i / 2);
  }
  for (; i < count; i += 2)
    pairs[i / 2] = static_cast<uint8_t>(codes[i] | (i + 1 < count ? codes[i + 1] << 4 : 0));
}

// The codes of a group or a part of one, one code in a byte for either format of the tensor.
class Bytes {
 public:
  explicit Bytes(const GroupFormat& format)
      : packed_(format.bits == 4), bytes_(packed_ ? static_cast<size_t>(format.group_size) : 0) {}
  // Returns `count` codes from element `first` on.
  const uint8_t* read(const uint8_t* codes, int64_t first, int64_t count) {
    if (!packed_) return codes + first;
    unpack(codes + first / 2, bytes_.data(), count);
    return bytes_.data();
  }
  // Returns the place for new codes; finish() moves them to their final place.
  uint8_t* target(uint8_t* codes, int64_t first) { return packed_ ? bytes_.data() : codes + first; }
  void finish(uint8_t* codes, int64_t first, int64_t count) {
    if (packed_) pack(bytes_.data(), codes + first / 2, count);
  }

 private:
  bool packed_;
  std::vector<uint8_t> bytes_;
};

formulas::GroupScale scale_at(const RawGroups& groups, int64_t group) {
  return {groups.scales[group], static_cast<float>(groups.zeros[group])};
}

HWY_INLINE Float decoded(FloatTag d, Float codes, const formulas::GroupScale& group) {
  return hn::Mul(hn::Sub(codes, hn::Set(d, group.zero)), hn::Set(d, group.scale));
}

// The new values of a group's elements: those of a tensor, or of a weight that takes a step.
template <typename T>
struct Source {
  const T* values;
  HWY_INLINE Float at(FloatTag d, int64_t i, size_t left) const { return load_some(d, values + i, left); }
};
struct Updated {
  formulas::UpdateFactors factors;
  formulas::GroupScale group;
  const uint8_t* codes;
  const float* direction;
  HWY_INLINE Float at(FloatTag d, int64_t i, size_t left) const {
    const Float old = decoded(d, load_codes(d, codes + i, left), group);
    const Float step = hn::Mul(hn::Set(d, factors.rate), load_some(d, direction + i, left));
    return hn::Mul(hn::Sub(hn::Mul(old, hn::Set(d, factors.before)), step), hn::Set(d, factors.after));
  }
};

// Keeps the values and returns the scale of the group. A group with a value that is not finite has the scale
// NaN.
template <typename Value>
HWY_INLINE formulas::GroupScale measure(const Value& value, float* values, int64_t count, float levels) {
  const FloatTag d;
  Float low = hn::Zero(d), high = hn::Zero(d), poison = hn::Zero(d);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(count - i);
    Float x = value.at(d, i, left);
    if (left < hn::Lanes(d)) x = hn::IfThenElseZero(hn::FirstN(d, left), x);
    low = hn::Min(low, x);
    high = hn::Max(high, x);
    poison = hn::Add(poison, hn::Mul(x, hn::Zero(d)));  // becomes NaN at an infinity or NaN and stays NaN
    hn::StoreU(x, d, values + i);
  }
  if (!hn::AllFalse(d, hn::IsNaN(poison))) return {std::numeric_limits<float>::quiet_NaN(), 0};
  return formulas::scale_of_group(hn::GetLane(hn::MinOfLanes(d, low)), hn::GetLane(hn::MaxOfLanes(d, high)),
                                  levels);
}

// Returns 16 random bits per element for `count` elements from `first` on. On a little-endian processor, the
// eight numbers of a block of the stream are its four words in memory, in order.
HWY_INLINE const uint16_t* random_bits(const RandomStream& stream, uint16_t* out, int64_t first,
                                       int64_t count) {
  constexpr int64_t kPerBlock = formulas::kRoundingsPerBlock;
  const int64_t begin = first / kPerBlock, end = (first + count + kPerBlock - 1) / kPerBlock;
#if HWY_TARGET == HWY_SCALAR
  for (int64_t block = begin; block < end; ++block) {
    const auto words = stream.block(static_cast<uint64_t>(block));
    std::memcpy(out + (block - begin) * kPerBlock, words.data(), sizeof(words));
  }
#else
  const WordTag whole;
  const auto lanes = static_cast<int64_t>(hn::Lanes(whole));
  HWY_ALIGN uint32_t words[4 * HWY_LANES(uint32_t)];
  for (int64_t block = begin; block < end; block += lanes) {
    Word x[4];
    random_blocks(stream, static_cast<uint64_t>(block), x);
    hn::StoreInterleaved4(x[0], x[1], x[2], x[3], whole, words);
    const int64_t used = std::min(lanes, end - block);
    std::memcpy(out + (block - begin) * kPerBlock, words, static_cast<size_t>(used) * 16);
  }
#endif
  return out + first % kPerBlock;
}

HWY_INLINE Float chance_of(FloatTag d, const uint16_t* random) {
  const hn::Rebind<uint16_t, FloatTag> half;
  const Float number = hn::ConvertTo(d, hn::PromoteTo(IntTag(), hn::LoadU(half, random)));
  return hn::Mul(hn::Add(number, hn::Set(d, 0.5f)), hn::Set(d, 0x1p-16f));
}

// Rounds to the nearest code, ties to even, or with random bits up with a probability equal to the distance
// from the lower code.
HWY_INLINE void write_codes(const float* values, const formulas::GroupScale& group, float levels,
                            const uint16_t* random, uint8_t* codes, int64_t count) {
  const FloatTag d;
  const Float scale = hn::Set(d, group.scale), zero = hn::Set(d, group.zero), most = hn::Set(d, levels);
  if (!(group.scale > 0)) {
    std::fill_n(codes, count, uint8_t{0});
    return;
  }
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const Float exact = hn::Div(hn::LoadU(d, values + i), scale);
    Float whole = hn::Round(exact);
    if (random) {
      whole = hn::Floor(exact);
      const auto up = hn::Lt(chance_of(d, random + i), hn::Sub(exact, whole));
      whole = hn::Add(whole, hn::IfThenElseZero(up, hn::Set(d, 1.0f)));
    }
    const Float code = hn::Min(hn::Max(hn::Add(whole, zero), hn::Zero(d)), most);
    store_codes(d, code, codes + i, static_cast<size_t>(count - i));
  }
}

// value_of(group's number, first element, elements, its codes) returns the new values of a group.
template <typename ValueOf>
HWY_INLINE void code_groups(const RawGroups& groups, int64_t begin, int64_t end, const RandomStream* stream,
                            const ValueOf& value_of) {
  const float levels = formulas::group_levels(groups.format.bits);
  constexpr size_t kPadding = 2 * formulas::kRoundingsPerBlock + HWY_LANES(float);
  const size_t padded = static_cast<size_t>(groups.format.group_size) + kPadding;
  std::vector<float> values(padded);
  std::vector<uint16_t> random(stream ? padded : 0);
  Bytes bytes(groups.format);
  for (int64_t group = begin; group < end; ++group) {
    const int64_t first = group * groups.format.group_size;
    const int64_t count = std::min(groups.format.group_size, groups.count - first);
    const auto scale = measure(value_of(group, first, count, bytes), values.data(), count, levels);
    groups.scales[group] = scale.scale;
    groups.zeros[group] = static_cast<uint8_t>(scale.zero);
    const uint16_t* bits = stream ? random_bits(*stream, random.data(), first, count) : nullptr;
    write_codes(values.data(), scale, levels, bits, bytes.target(groups.codes, first), count);
    bytes.finish(groups.codes, first, count);
  }
}

template <typename T>
void encode_range(const T* source, const RawGroups& groups, int64_t begin, int64_t end,
                  const RandomStream* stream) {
  code_groups(groups, begin, end, stream,
              [&](int64_t, int64_t first, int64_t, Bytes&) { return Source<T>{source + first}; });
}
void encode_f32(const float* source, const RawGroups& groups, int64_t begin, int64_t end,
                const RandomStream* stream) {
  encode_range(source, groups, begin, end, stream);
}
void encode_b16(const c10::BFloat16* source, const RawGroups& groups, int64_t begin, int64_t end,
                const RandomStream* stream) {
  encode_range(source, groups, begin, end, stream);
}

void update_range(const UpdateTask& task, const RawGroups& groups, int64_t begin, int64_t end) {
  code_groups(groups, begin, end, task.stochastic,
              [&](int64_t group, int64_t first, int64_t count, Bytes& bytes) {
                return Updated{task.factors, scale_at(groups, group), bytes.read(groups.codes, first, count),
                               task.direction + first};
              });
}

// Decodes the elements [first, first + count) of the flat tensor; `first` is even if a byte holds two codes.
template <typename T>
void decode_range(const RawGroups& groups, int64_t first, int64_t count, T* out) {
  const FloatTag d;
  const int64_t group_size = groups.format.group_size;
  Bytes bytes(groups.format);
  for (int64_t done = 0; done < count;) {
    const int64_t at = first + done, group = at / group_size;
    const int64_t length = std::min(count - done, (group + 1) * group_size - at);
    const uint8_t* codes = bytes.read(groups.codes, at, length);
    const formulas::GroupScale scale = scale_at(groups, group);
    for (int64_t i = 0; i < length; i += static_cast<int64_t>(hn::Lanes(d))) {
      const auto left = static_cast<size_t>(length - i);
      store_some(d, decoded(d, load_codes(d, codes + i, left), scale), out + done + i, left);
    }
    done += length;
  }
}
void decode_f32(const RawGroups& groups, int64_t first, int64_t count, float* out) {
  decode_range(groups, first, count, out);
}
void decode_b16(const RawGroups& groups, int64_t first, int64_t count, c10::BFloat16* out) {
  decode_range(groups, first, count, out);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(encode_f32);
HWY_EXPORT(encode_b16);
HWY_EXPORT(update_range);
HWY_EXPORT(decode_f32);
HWY_EXPORT(decode_b16);

namespace {

void encode(const float* source, const RawGroups& groups, int64_t begin, int64_t end,
            const RandomStream* stream) {
  HWY_DYNAMIC_DISPATCH(encode_f32)(source, groups, begin, end, stream);
}
void encode(const at::BFloat16* source, const RawGroups& groups, int64_t begin, int64_t end,
            const RandomStream* stream) {
  HWY_DYNAMIC_DISPATCH(encode_b16)(source, groups, begin, end, stream);
}
void decode(const RawGroups& groups, int64_t first, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(decode_f32)(groups, first, count, out);
}
void decode(const RawGroups& groups, int64_t first, int64_t count, at::BFloat16* out) {
  HWY_DYNAMIC_DISPATCH(decode_b16)(groups, first, count, out);
}

// Calls range(begin, end) over pieces of work of `size` elements each; begin and end are numbers of pieces.
template <typename Range>
void in_parallel(int64_t pieces, int64_t size, const Range& range) {
  at::parallel_for(0, pieces, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, size)), range);
}

template <typename Range>
void over_groups(const RawGroups& groups, const Range& range) {
  const int64_t size = groups.format.group_size;
  in_parallel((groups.count + size - 1) / size, size, range);
}

}  // namespace

template <typename T>
void encode_groups(const T* source, const RawGroups& destination, const RandomStream* stochastic) {
  over_groups(destination,
              [&](int64_t begin, int64_t end) { encode(source, destination, begin, end, stochastic); });
}
template void encode_groups(const float*, const RawGroups&, const RandomStream*);
template void encode_groups(const at::BFloat16*, const RawGroups&, const RandomStream*);

template <typename T>
void decode_groups(const RawGroups& source, T* destination) {
  const int64_t size = source.format.group_size;
  over_groups(source, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * size, count = std::min(end * size, source.count) - first;
    decode(source, first, count, destination + first);
  });
}
template void decode_groups(const RawGroups&, float*);
template void decode_groups(const RawGroups&, at::BFloat16*);

template <typename T>
void decode_block(const RawGroups& source, const Block& block, int64_t row_size, T* destination) {
  in_parallel(block.rows, block.columns, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      decode(source, (block.first_row + row) * row_size + block.first_column, block.columns,
             destination + row * block.columns);
  });
}
template void decode_block(const RawGroups&, const Block&, int64_t, float*);
template void decode_block(const RawGroups&, const Block&, int64_t, at::BFloat16*);

void update_groups(const UpdateTask& task, const RawGroups& weight) {
  over_groups(weight, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(update_range)(task, weight, begin, end);
  });
}

}  // namespace galore::kernels::cpu
#endif
