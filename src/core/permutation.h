// A keyed permutation of 0..size-1 that needs no memory. It gives the order of rows in an epoch.
//
// The permutation is a balanced Feistel network over the smallest even number of bits that covers the size,
// with Philox as the round function. Values outside the range pass through the network again (cycle walking;
// Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002), which takes fewer than 4 passes
// on average.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/random.h"

namespace galore {

class Permutation {
 public:
  Permutation(uint64_t size, uint64_t seed, std::string_view purpose, uint64_t epoch = 0);
  uint64_t size() const { return size_; }
  // Maps [0, size) to itself, one to one.
  uint64_t operator()(uint64_t index) const;

 private:
  uint64_t encrypt(uint64_t value) const;

  RandomStream stream_;
  uint64_t size_;
  int half_bits_ = 1;
};

}  // namespace galore
