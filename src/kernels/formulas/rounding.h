// Rounding of fp32 to bf16 and fp16, and the update of a bf16 weight, for the compilers of host and device.
// Both can call constexpr functions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace galore::kernels::formulas {

constexpr float float_of_bfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// Rounds ties to even; every NaN becomes the quiet NaN.
constexpr uint16_t round_nearest(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Rounds away from zero with the probability of the discarded part. Infinities and NaN stay.
constexpr uint16_t round_stochastic(float value, uint32_t random16) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000) == 0x7f800000) return round_nearest(value);
  return static_cast<uint16_t>((bits + random16) >> 16);
}

// Rounds to fp16 as round_stochastic() does to bf16; infinities and NaN become 0x7c00 and 0x7e00. Normal
// numbers of fp16 discard 13 bits of fp32. Below them fp16 has multiples of 2^-24.
constexpr uint16_t round_stochastic_half(float value, uint32_t random16) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffff;
  const uint32_t sign = (bits >> 16) & 0x8000;
  if (magnitude >= 0x7f800000)
    return static_cast<uint16_t>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
  if (magnitude >= 0x38800000) {  // 2^-14
    const uint32_t half = ((magnitude + (random16 >> 3)) >> 13) - 0x1c000;
    return static_cast<uint16_t>(sign | (half < 0x7c00 ? half : 0x7c00));
  }
  const float steps = std::bit_cast<float>(magnitude) * 0x1p24f;
  const auto below = static_cast<uint32_t>(steps);
  const auto rest = static_cast<uint32_t>((steps - static_cast<float>(below)) * 0x1p16f);
  return static_cast<uint16_t>(sign | (below + ((rest + random16) >> 16)));
}

// One block of the random stream serves eight elements: element i takes bits from block i / 8, slot i % 8.
inline constexpr int64_t kRoundingsPerBlock = 8;
constexpr uint32_t rounding_bits(const std::array<uint32_t, 4>& words, int64_t slot) {
  return (words[static_cast<size_t>(slot / 2)] >> (16 * (slot % 2))) & 0xffff;
}

struct UpdateFactors {
  float rate, before, after;
};
constexpr float updated_weight(const UpdateFactors& factors, float weight, float direction) {
  return (weight * factors.before - factors.rate * direction) * factors.after;
}

}  // namespace galore::kernels::formulas
