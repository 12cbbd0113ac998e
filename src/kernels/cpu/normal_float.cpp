// Highway compiles this file once per instruction set and chooses the best at run time. It is compiled with
// -ffp-contract=off, so that codes and values are equal on every processor and device.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/normal_float.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/vector_io-inl.h"
#include "kernels/normal_float.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

constexpr int64_t kNf4Group = kNormalFloat.group_size;
using Nf4Int = hn::RebindToSigned<FloatTag>;

// The 16 values in registers: one where a vector has 16 lanes, and two with 8.
class ValueTable {
 public:
  ValueTable() { std::copy(normal_float_values().begin(), normal_float_values().end(), parts_); }
  HWY_INLINE Float operator()(hn::Vec<Nf4Int> codes) const {
    const FloatTag d;
    const Nf4Int di;
    const auto inside = hn::IndicesFromVec(d, hn::And(codes, hn::Set(di, static_cast<int32_t>(kLanes - 1))));
    Float found = hn::TableLookupLanes(hn::LoadU(d, parts_), inside);
    for (int64_t i = 1; i < kTables; ++i) {
      const auto later = hn::Gt(codes, hn::Set(di, static_cast<int32_t>(i * kLanes - 1)));
      const Float other = hn::TableLookupLanes(hn::LoadU(d, parts_ + i * kLanes), inside);
      found = hn::IfThenElse(hn::RebindMask(d, later), other, found);
    }
    return found;
  }

 private:
  static constexpr int64_t kLanes = HWY_LANES(float) < 16 ? HWY_LANES(float) : 16;
  static constexpr int64_t kTables = 16 / kLanes;
  HWY_ALIGN float parts_[16];
};

// Decodes elements of one group, from an even one on.
HWY_INLINE void decode_part(const ValueTable& table, const uint8_t* bytes, float scale, int64_t count,
                            float* out) {
  const FloatTag d;
  const Nf4Int di;
  const hn::Rebind<uint8_t, FloatTag> d8;
  constexpr int64_t kLanes = HWY_LANES(float);
  const Float factor = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    const auto pairs = hn::PromoteTo(di, hn::LoadU(d8, bytes + i / 2));
    const Float first = hn::Mul(table(hn::ShiftRight<4>(pairs)), factor);
    const Float second = hn::Mul(table(hn::And(pairs, hn::Set(di, 15))), factor);
    hn::StoreInterleaved2(first, second, d, out + i);
  }
  for (; i < count; ++i) out[i] = normal_float_values()[(bytes[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15] * scale;
}

void write_part(const float* values, int64_t count, c10::BFloat16* out) {
  const FloatTag d;
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d)))
    store_some(d, hn::LoadU(d, values + i), out + i, static_cast<size_t>(count - i));
}

template <typename T>
HWY_INLINE void decode_nf4(const RawNormalFloat& source, int64_t first, int64_t count, T* out) {
  const ValueTable table;
  const CodeBook& map = dynamic_map();
  HWY_ALIGN float narrow[kNf4Group + HWY_LANES(float)];
  for (int64_t done = 0; done < count;) {
    const int64_t at = first + done, group = at / kNf4Group;
    const int64_t length = std::min(count - done, (group + 1) * kNf4Group - at);
    const float scale =
        map[source.scale_codes[group]] * source.scales[group / kGroupsPerScale] + source.offset;
    if constexpr (std::is_same_v<T, float>) {
      decode_part(table, source.codes + at / 2, scale, length, out + done);
    } else {
      decode_part(table, source.codes + at / 2, scale, length, narrow);
      write_part(narrow, length, out + done);
    }
    done += length;
  }
}
void decode_nf4_f32(const RawNormalFloat& source, int64_t first, int64_t count, float* out) {
  decode_nf4(source, first, count, out);
}
void decode_nf4_b16(const RawNormalFloat& source, int64_t first, int64_t count, c10::BFloat16* out) {
  decode_nf4(source, first, count, out);
}

// Copies a group with zeros behind it and returns its largest magnitude, or NaN if a number is not finite.
template <typename T>
HWY_INLINE float read_group(const T* values, int64_t count, float* out) {
  const FloatTag d;
  Float largest = hn::Zero(d), poison = hn::Zero(d);
  for (int64_t i = 0; i < kNf4Group; i += static_cast<int64_t>(hn::Lanes(d))) {
    const Float x = i < count ? load_some(d, values + i, static_cast<size_t>(count - i)) : hn::Zero(d);
    largest = hn::Max(largest, hn::Abs(x));
    poison = hn::Add(poison, hn::Mul(x, hn::Zero(d)));
    hn::StoreU(x, d, out + i);
  }
  if (!hn::AllFalse(d, hn::IsNaN(poison))) return std::numeric_limits<float>::quiet_NaN();
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// Writes the number of middles between the 16 values that lie below each value.
HWY_INLINE void write_codes(const float* values, float largest, uint8_t* codes) {
  const FloatTag d;
  const hn::Rebind<uint8_t, FloatTag> d8;
  const auto& book = normal_float_values();
  const Float factor = hn::Set(d, 1.0f / std::max(largest, 1e-38f));
  for (int64_t i = 0; i < kNf4Group; i += static_cast<int64_t>(hn::Lanes(d))) {
    Float x = hn::Mul(hn::LoadU(d, values + i), factor);
    x = hn::Min(hn::Max(x, hn::Set(d, -1.0f)), hn::Set(d, 1.0f));
    Float code = hn::Zero(d);
    for (size_t j = 0; j + 1 < book.size(); ++j) {
      const Float middle = hn::Set(d, (book[j] + book[j + 1]) / 2);
      code = hn::Add(code, hn::IfThenElseZero(hn::Gt(x, middle), hn::Set(d, 1.0f)));
    }
    hn::StoreU(hn::DemoteTo(d8, hn::ConvertTo(Nf4Int(), code)), d8, codes + i);
  }
}

template <typename T>
HWY_INLINE void encode_nf4(const T* values, int64_t count, uint8_t* codes, float* largest) {
  HWY_ALIGN float group[kNf4Group + HWY_LANES(float)];
  HWY_ALIGN uint8_t single[kNf4Group + HWY_LANES(uint8_t)];
  for (int64_t first = 0; first < count; first += kNf4Group) {
    const int64_t length = std::min(kNf4Group, count - first);
    const float most = read_group(values + first, length, group);
    largest[first / kNf4Group] = most;
    write_codes(group, most, single);
    for (int64_t i = 0; i < length; i += 2)
      codes[(first + i) / 2] = static_cast<uint8_t>(single[i] << 4 | single[i + 1]);
  }
}
void encode_nf4_f32(const float* values, int64_t count, uint8_t* codes, float* largest) {
  encode_nf4(values, count, codes, largest);
}
void encode_nf4_b16(const c10::BFloat16* values, int64_t count, uint8_t* codes, float* largest) {
  encode_nf4(values, count, codes, largest);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(decode_nf4_f32);
HWY_EXPORT(decode_nf4_b16);
HWY_EXPORT(encode_nf4_f32);
HWY_EXPORT(encode_nf4_b16);

namespace {

void decode_nf4_any(const RawNormalFloat& source, int64_t first, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(decode_nf4_f32)(source, first, count, out);
}
void decode_nf4_any(const RawNormalFloat& source, int64_t first, int64_t count, at::BFloat16* out) {
  HWY_DYNAMIC_DISPATCH(decode_nf4_b16)(source, first, count, out);
}
void encode_nf4_any(const float* values, int64_t count, uint8_t* codes, float* largest) {
  HWY_DYNAMIC_DISPATCH(encode_nf4_f32)(values, count, codes, largest);
}
void encode_nf4_any(const at::BFloat16* values, int64_t count, uint8_t* codes, float* largest) {
  HWY_DYNAMIC_DISPATCH(encode_nf4_b16)(values, count, codes, largest);
}

// Calls part(first, count) with parts that begin with a group.
template <typename Part>
void over_parts(int64_t count, const Part& part) {
  const int64_t groups = (count + kNormalFloat.group_size - 1) / kNormalFloat.group_size;
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / kNormalFloat.group_size);
  at::parallel_for(0, groups, grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kNormalFloat.group_size;
    part(first, std::min(end * kNormalFloat.group_size, count) - first);
  });
}

}  // namespace

template <typename T>
void encode_normal_float(const T* values, int64_t count, uint8_t* codes, float* largest) {
  over_parts(count, [&](int64_t first, int64_t length) {
    encode_nf4_any(values + first, length, codes + first / 2, largest + first / kNormalFloat.group_size);
  });
}
template void encode_normal_float(const float*, int64_t, uint8_t*, float*);
template void encode_normal_float(const at::BFloat16*, int64_t, uint8_t*, float*);

template <typename T>
void decode_normal_float(const RawNormalFloat& source, int64_t first, int64_t count, T* out) {
  over_parts(count, [&](int64_t begin, int64_t length) {
    decode_nf4_any(source, first + begin, length, out + begin);
  });
}
template void decode_normal_float(const RawNormalFloat&, int64_t, int64_t, float*);
template void decode_normal_float(const RawNormalFloat&, int64_t, int64_t, at::BFloat16*);

}  // namespace galore::kernels::cpu
#endif
