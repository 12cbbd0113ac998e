// The nearest code of a value, for the compilers of host and device. kernels/blockwise_8bit.h describes the
// format.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace galore::kernels::formulas {

inline constexpr uint8_t kSignedZeroCode = 127;

// Returns the boundaries: boundary i is between codes i and i + 1, and a value's code is the number of
// boundaries below it.
constexpr std::array<float, 255> code_boundaries(const std::array<float, 256>& book, bool is_signed) {
  std::array<float, 255> boundaries{};
  for (size_t i = 0; i < boundaries.size(); ++i) boundaries[i] = (book[i + 1] + book[i]) * 0.5f;
  // A negative value never becomes 0, so the boundary between the smallest negative and 0 is 0 itself.
  if (is_signed) boundaries[kSignedZeroCode - 1] = -std::numeric_limits<float>::denorm_min();
  return boundaries;
}

// Returns the code of `relative`, the value divided by its block's scale. NaN gets code 0.
constexpr uint8_t code_of(const float* boundaries, float relative) {
  int below = 0;
  for (int step = 128; step > 0; step /= 2) {
    if (relative > boundaries[below + step - 1]) below += step;
  }
  return static_cast<uint8_t>(below);
}

}  // namespace galore::kernels::formulas
