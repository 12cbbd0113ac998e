// Finds the nearest of 256 sorted values without a search. The upper 16 bits of a float (sign, exponent, 7
// bits of mantissa) select a cell so narrow that at most one midpoint between two codes is in it.
//   code(x) = c + (x > boundary[c]) with c = first[cell]
// In [0.5, 1) a cell is 2^-8 wide and the codes of the unsigned book are 0.9/128 apart, which is more, so the
// claim holds; smaller magnitudes have relatively coarser codes. The construction checks it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace galore::kernels::cpu {

struct EncodeTable {
  std::vector<uint8_t> first;       // the lowest code of the cell; 0 for cells without finite numbers
  std::array<float, 256> boundary;  // between a code and the next one
};

const EncodeTable& signed_encode_table();
const EncodeTable& unsigned_encode_table();

}  // namespace galore::kernels::cpu
