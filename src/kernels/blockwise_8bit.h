// Block-wise dynamic 8-bit codes for optimizer moments (Dettmers et al. 2022, arXiv 2110.02861; as in
// bitsandbytes).
//
// Format: a flat tensor is cut into blocks of `block_size` elements (the last may be short); each element is
// one byte, the index of a value in a sorted book of 256, times the block's largest magnitude (one fp32 a
// block). Books: for i = 0..6, [0.1, 1] is cut into k_i equal intervals (k_i = 2^i signed, 2^(i+1) unsigned),
// their midpoints times 10^(i-6); signed adds the negatives; then 0 and 1. There is no -1. Rounding: nearest,
// a tie to the lower code; a negative value that would become 0 becomes the smallest negative. Range: decoded
// magnitudes never exceed the block's largest. All-zero blocks decode to zeros. 1 + 4/block_size bytes an
// element.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "kernels/adamw.h"

namespace galore::kernels {

using CodeBook = std::array<float, 256>;
const CodeBook& signed_code_book();
const CodeBook& unsigned_code_book();

// codes: uint8, as many as the moment has elements; scales: fp32, one a block.
struct Codes8 {
  at::Tensor codes, scales;
  int64_t block_size;
  bool is_signed;
};

void decode_8bit(const Codes8& source, at::Tensor& destination);
void encode_8bit(const at::Tensor& source, Codes8& destination);

// As adamw_direction with both moments in codes, in one pass: decode, update, direction, encode. The
// direction uses the moments before they are rounded. An infinite or NaN gradient element sets its moments to
// 0 and gives direction 0 (as bitsandbytes' kernel).
void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v);

namespace composed {
void decode_8bit(const Codes8& source, at::Tensor& destination);
void encode_8bit(const at::Tensor& source, Codes8& destination);
void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v);
}  // namespace composed

namespace cpu {
// Pointers of Codes8 for one moment of `count` elements.
struct RawCodes8 {
  uint8_t* codes;
  float* scales;
  int64_t block_size;
};
void adamw_8bit_direction(const AdamStep& step, float* gradient, RawCodes8 m, RawCodes8 v, int64_t count);
void decode_8bit(RawCodes8 source, bool is_signed, float* values, int64_t count);
void encode_8bit(const float* values, RawCodes8 destination, bool is_signed, int64_t count);
}  // namespace cpu

namespace cuda {
void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v);
}

}  // namespace galore::kernels
