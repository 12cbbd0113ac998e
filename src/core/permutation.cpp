#include "core/permutation.h"

#include "core/errors.h"

namespace galore {
namespace {

// Luby and Rackoff need 4 rounds; 6 rounds leave no visible structure even in the smallest domains.
constexpr int kRounds = 6;

}  // namespace

Permutation::Permutation(uint64_t size, uint64_t seed, std::string_view purpose, uint64_t epoch)
    : stream_(seed, purpose, "", epoch), size_(size) {
  GALORE_ASSERT(size < uint64_t{1} << 56);
  while (half_bits_ < 28 && (uint64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
}

uint64_t Permutation::encrypt(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_, right = value & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const uint64_t mixed = stream_.block((round << 32) | right)[0] & mask;
    const uint64_t next = left ^ mixed;
    left = right;
    right = next;
  }
  return (left << half_bits_) | right;
}

uint64_t Permutation::operator()(uint64_t index) const {
  GALORE_ASSERT(index < size_);
  do index = encrypt(index);
  while (index >= size_);
  return index;
}

}  // namespace galore
