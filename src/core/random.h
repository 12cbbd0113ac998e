// Counter-based random streams (Philox 4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011), keyed by (seed, purpose, name, step).
//
// A stream has no hidden state: the i-th number of a key is the same in every run, in every order of use and
// with any number of threads, so only the seed and the step need to be saved.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace galore {

class RandomStream {
 public:
  RandomStream(uint64_t seed, std::string_view purpose, std::string_view name = "", uint64_t step = 0);
  // Makes the stream from its key() and step().
  RandomStream(std::array<uint32_t, 2> key, uint64_t step) : key_(key), step_(step) {}

  // Returns block i, which holds the numbers 4i to 4i+3, each uniform over 32 bits.
  std::array<uint32_t, 4> block(uint64_t index) const;
  // Returns the next 64 bits of the stream, uniform in [0, 2^64).
  uint64_t next();
  // Returns a number that is uniform in [0, bound), without modulo bias.
  uint64_t below(uint64_t bound);
  // Returns a number that is uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // These let device code compute the same numbers: block(i) = philox_block(i, step, key).
  std::array<uint32_t, 2> key() const { return key_; }
  uint64_t step() const { return step_; }

 private:
  std::array<uint32_t, 2> key_;
  uint64_t step_;
  uint64_t position_ = 0;
};

// Returns two standard normal numbers, made from the upper 24 bits of two uniform words (Box-Muller). Their
// magnitude never exceeds 5.8; exact normal numbers exceed it once in 10^8.
std::array<float, 2> normal_pair(uint32_t a, uint32_t b);

}  // namespace galore
