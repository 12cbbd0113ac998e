// Counter-based random streams (Philox 4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011), keyed by (seed, purpose, name, step).
//
// A stream has no hidden state: the i-th number of a key is the same on every run, in every order of use and
// with any number of threads, so nothing needs saving but the seed and the step.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace galore {

class RandomStream {
 public:
  RandomStream(uint64_t seed, std::string_view purpose, std::string_view name = "", uint64_t step = 0);
  // The stream whose key() and step() these are.
  RandomStream(std::array<uint32_t, 2> key, uint64_t step) : key_(key), step_(step) {}

  // Block i holds numbers 4i to 4i+3, each uniform over 32 bits.
  std::array<uint32_t, 4> block(uint64_t index) const;
  // The next 64 bits in sequence; uniform in [0, 2^64).
  uint64_t next();
  // Uniform in [0, bound), without modulo bias.
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // For device code: block(i) = philox_block(i, step, key).
  std::array<uint32_t, 2> key() const { return key_; }
  uint64_t step() const { return step_; }

 private:
  std::array<uint32_t, 2> key_;
  uint64_t step_;
  uint64_t position_ = 0;
};

// Two standard normal numbers from the upper 24 bits of two uniform words (Box-Muller); none is beyond 5.8,
// which one number in 10^8 would be.
std::array<float, 2> normal_pair(uint32_t a, uint32_t b);

}  // namespace galore
