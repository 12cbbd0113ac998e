// Two neighbouring symbols of byte pair encoding as one key, and its hash.
//
// A hash of its own is not for speed alone: the standard library's is the key itself, and a table whose slots
// come from the key's low bits would put every pair with the same right symbol into one run; tsl::robin_map
// then doubles until memory ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galore {

constexpr uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

struct PairHash {
  size_t operator()(uint64_t pair) const { return static_cast<size_t>(pair * 0x9e3779b97f4a7c15ULL >> 20); }
};

}  // namespace galore
