// Block-wise dynamic 8-bit codes for optimizer moments (Dettmers et al. 2022, arXiv 2110.02861; as in
// bitsandbytes).
//
// Format: a flat tensor is cut into blocks of `block_size` elements (the last may be short). Each element is
// one byte, the index of a value in a sorted code book of 256, times the block's largest magnitude (one fp32
// for each block). Code books: for i = 0..6, [0.1, 1] is cut into k_i equal intervals (k_i = 2^i signed,
// 2^(i+1) unsigned) and their midpoints are multiplied by 10^(i-6); the signed book adds the negatives; then
// come 0 and 1. There is no -1. Rounding is to nearest, a tie goes to the lower code, and a negative value
// that would become 0 becomes the smallest negative. Decoded magnitudes never exceed the block's largest.
// Blocks of zeros decode to zeros. The size is 1 + 4/block_size bytes for each element.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "kernels/adamw.h"

namespace galore::kernels {

using CodeBook = std::array<float, 256>;
const CodeBook& signed_code_book();
const CodeBook& unsigned_code_book();

// The codes of a moment. codes: uint8, one for each element; scales: fp32, one for each block.
struct Codes8 {
  at::Tensor codes, scales;
  int64_t block_size;
  bool is_signed;
};

void decode_8bit(const Codes8& source, at::Tensor& destination);
void encode_8bit(const at::Tensor& source, Codes8& destination);

// adamw_direction() with both moments in codes, in one pass: decode, update, direction, encode. The direction
// uses the moments before they are rounded. An infinite or NaN gradient element sets its moments to 0 and
// gives direction 0 (as in bitsandbytes' kernel).
void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v);

namespace composed {
void decode_8bit(const Codes8& source, at::Tensor& destination);
void encode_8bit(const at::Tensor& source, Codes8& destination);
void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v);
}  // namespace composed

namespace cpu {
// The pointers of Codes8 for one moment of `count` elements.
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
