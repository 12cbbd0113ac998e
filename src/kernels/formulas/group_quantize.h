// The codes of a group of numbers, for the compilers of host and device. kernels/group_quantize.h describes
// the format.
#pragma once

#include <cstdint>
#include <limits>

namespace galore::kernels::formulas {

// from Q-GaLore's code, for groups of equal numbers, which have no range
inline constexpr float kSmallestGroupRange = 1e-5f;

constexpr float group_levels(int64_t bits) { return bits == 8 ? 255.0f : 15.0f; }

// Rounds ties to even; valid for magnitudes below 2^22.
constexpr float round_half_even(float value) { return (value + 0x1.8p23f) - 0x1.8p23f; }
constexpr float clamp(float value, float high) { return value < 0 ? 0 : value > high ? high : value; }

struct GroupScale {
  float scale, zero;
};

// Returns the scale and zero point of a group. `low` <= 0 <= `high` are the smallest and the largest of the
// group's numbers and 0. The scale is NaN when the range exceeds fp32.
constexpr GroupScale scale_of_group(float low, float high, float levels) {
  const float range = high - low;
  if (!(range <= std::numeric_limits<float>::max())) return {std::numeric_limits<float>::quiet_NaN(), 0};
  const float scale = (range > kSmallestGroupRange ? range : kSmallestGroupRange) / levels;
  return {scale, clamp(-round_half_even(low / scale), levels)};
}

}  // namespace galore::kernels::formulas
