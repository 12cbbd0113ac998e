#include "kernels/cpu/encode_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/errors.h"
#include "kernels/blockwise_8bit.h"
#include "kernels/formulas/blockwise_8bit.h"

namespace galore::kernels::cpu {
namespace {

constexpr uint32_t kNumCells = 1u << 16;

EncodeTable make_table(const CodeBook& book, bool is_signed) {
  const auto midpoints = formulas::code_boundaries(book, is_signed);
  EncodeTable table{std::vector<uint8_t>(kNumCells), {}};
  std::copy(midpoints.begin(), midpoints.end(), table.boundary.begin());
  table.boundary[255] = std::numeric_limits<float>::infinity();
  for (uint32_t cell = 0; cell < kNumCells; ++cell) {
    float low = std::bit_cast<float>(cell << 16), high = std::bit_cast<float>((cell << 16) | 0xffff);
    if (low > high) std::swap(low, high);
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    // Counts the midpoints below every value of the cell, and those below its largest value.
    const auto below = std::lower_bound(midpoints.begin(), midpoints.end(), low) - midpoints.begin();
    const auto reached = std::lower_bound(midpoints.begin(), midpoints.end(), high) - midpoints.begin();
    GALORE_ASSERT(reached - below <= 1);
    table.first[cell] = static_cast<uint8_t>(below);
  }
  return table;
}

}  // namespace

const EncodeTable& signed_encode_table() {
  static const EncodeTable table = make_table(signed_code_book(), true);
  return table;
}

const EncodeTable& unsigned_encode_table() {
  static const EncodeTable table = make_table(unsigned_code_book(), false);
  return table;
}

}  // namespace galore::kernels::cpu
