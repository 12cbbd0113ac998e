// Codes of a group of numbers, for the compilers of host and device (kernels/group_quantize.h has the
// format).
#pragma once

#include <cstdint>
#include <limits>

namespace galore::kernels::formulas {

inline constexpr float kSmallestGroupRange = 1e-5f;  // Q-GaLore's code: a group of equal numbers has no range

constexpr float group_levels(int64_t bits) { return bits == 8 ? 255.0f : 15.0f; }

// Ties to even; for magnitudes below 2^22.
constexpr float round_half_even(float value) { return (value + 0x1.8p23f) - 0x1.8p23f; }
constexpr float round_down(float value) {
  const float nearest = round_half_even(value);
  return nearest > value ? nearest - 1.0f : nearest;
}
constexpr float clamp(float value, float high) { return value < 0 ? 0 : value > high ? high : value; }

struct GroupScale {
  float scale, zero;
};

// `low` <= 0 <= `high`: the smallest and the largest of the group and 0. NaN where the range does not fit
// fp32.
constexpr GroupScale scale_of_group(float low, float high, float levels) {
  const float range = high - low;
  if (!(range <= std::numeric_limits<float>::max())) return {std::numeric_limits<float>::quiet_NaN(), 0};
  const float scale = (range > kSmallestGroupRange ? range : kSmallestGroupRange) / levels;
  return {scale, clamp(-round_half_even(low / scale), levels)};
}

constexpr float value_of_code(const GroupScale& group, float code) {
  return (code - group.zero) * group.scale;
}

constexpr float code_nearest(const GroupScale& group, float value, float levels) {
  return clamp(round_half_even(value / group.scale) + group.zero, levels);
}

// Up with the probability of what is above the code below, as 16 bits can tell it. The middle of their
// interval makes the mean right, and a value that is a code but for rounding stays that code.
constexpr float code_stochastic(const GroupScale& group, float value, float levels, uint32_t random16) {
  const float exact = value / group.scale, below = round_down(exact);
  const float chance = (static_cast<float>(random16) + 0.5f) * 0x1p-16f;
  return clamp(below + (chance < exact - below ? 1.0f : 0.0f) + group.zero, levels);
}

}  // namespace galore::kernels::formulas
