// Asymmetric group codes of 8 or 4 bits, for weights and bases (Zhang et al. 2024, Q-GaLore, arXiv
// 2407.08296, section 3.1 and its code).
//
// Of a group of consecutive elements of the flat tensor, with n bits:
//   scale = max(max - min, 1e-5) / (2^n - 1)
//   zero  = clamp(-round(min / scale), 0, 2^n - 1)
//   code  = clamp(round(w / scale) + zero, 0, 2^n - 1),   w ~ (code - zero) * scale
// round: to nearest, ties to even; or, for codes, down or up at random, so that the mean of many is w. All
// arithmetic is in fp32. 1 + 5/group_size bytes an element in 8 bits, half a byte less in 4 bits.
//
// Departures from the authors' code:
// - Scales are kept in fp32 and zeros in uint8; theirs have the tensor's dtype, bf16, whose 8 bits move every
//   value of a group at every recoding.
// - 4-bit codes lie two a byte; theirs take a byte each.
// - min and max include 0: no difference to groups of both signs. In theirs the zero of a group of one sign
//   is clamped and its values are lost: one of nothing but 0.5 becomes 1e-5.
// - The last group may be short.
// - A group with a number that is not finite decodes to NaN, so that it is noticed.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/group_codes.h"
#include "core/random.h"
#include "kernels/apply_direction.h"

namespace galore::kernels {

// `source`: fp32 or bf16, of the codes' shape. `stochastic`: null rounds to nearest; else element i takes
// bits from block i / 8, slot i % 8 of the stream.
void encode_groups(const at::Tensor& source, const GroupCodes& destination, const RandomStream* stochastic);
// `destination`: fp32 or bf16, rounded to nearest, of the codes' shape.
void decode_groups(const GroupCodes& source, const at::Tensor& destination);

// Part of a matrix in 8-bit codes.
struct Block {
  int64_t first_row, rows, first_column, columns;
};
// `destination` [rows, columns]: fp32 or bf16, contiguous.
void decode_block(const GroupCodes& source, const Block& block, const at::Tensor& destination);
// The codes of `count` elements from `first`, a multiple of the group size, without a copy; 8 bits.
GroupCodes part_of(const GroupCodes& codes, int64_t first, int64_t count);

// Weights without a copy of higher precision: decodes, takes one step of apply_direction.h in fp32 and
// encodes afresh. `direction`: fp32, of the weight's shape.
void update_groups(const WeightUpdate& update, const at::Tensor& direction, const GroupCodes& weight);

// Whether every value is finite.
bool is_finite(const GroupCodes& codes);

// The same by tensor operations.
namespace composed {
void encode_groups(const at::Tensor& source, const GroupCodes& destination, const RandomStream* stochastic);
void decode_groups(const GroupCodes& source, const at::Tensor& destination);
void update_groups(const WeightUpdate& update, const at::Tensor& direction, const GroupCodes& weight);
}  // namespace composed

// The same on pointers; T: float or at::BFloat16.
namespace cpu {
struct RawGroups {
  uint8_t* codes;
  float* scales;
  uint8_t* zeros;
  GroupFormat format;
  int64_t count;
};
template <typename T>
void encode_groups(const T* source, const RawGroups& destination, const RandomStream* stochastic);
template <typename T>
void decode_groups(const RawGroups& source, T* destination);
// row_size: elements of a whole row.
template <typename T>
void decode_block(const RawGroups& source, const Block& block, int64_t row_size, T* destination);
void update_groups(const UpdateTask& task, const RawGroups& weight);
}  // namespace cpu

}  // namespace galore::kernels
