// Two neighbouring symbols of byte pair encoding as one 64-bit key, and a hash for it.
//
// The standard library's hash is the key itself. A table that takes its slots from the key's low bits would
// then put every pair with the same right symbol into one run, and tsl::robin_map would double until memory
// ends. The hash here mixes the bits.
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
