// Asymmetric group quantization with 8 or 4 bits, for weights and bases (Zhang et al. 2024, Q-GaLore, arXiv
// 2407.08296, section 3.1 and its code).
//
// For a group of consecutive elements of the flat tensor, with n bits:
//   scale = max(max - min, 1e-5) / (2^n - 1)
//   zero  = clamp(-round(min / scale), 0, 2^n - 1)
//   code  = clamp(round(w / scale) + zero, 0, 2^n - 1),   w ~ (code - zero) * scale
// round is to nearest, ties to even; codes may also be rounded down or up at random, so that the mean of many
// is w. All arithmetic is in fp32. The size is 1 + 5/group_size bytes for each element with 8 bits, and half
// a byte less with 4 bits.
//
// Departures from the authors' code:
// - Scales are fp32 and zero points uint8. The authors' have the tensor's dtype, bf16, and its 8 bits move
//   every value of a group whenever the group is coded again.
// - A byte holds two 4-bit codes; the authors' codes take a byte each.
// - min and max include 0. This makes no difference to groups with both signs. In the authors' code the zero
//   point of a group of one sign is clamped and its values are lost: a group of 0.5 only becomes 1e-5.
// - The last group may be short.
// - A group with a number that is not finite decodes to NaN, so that it is noticed.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/group_quantized.h"
#include "core/random.h"
#include "kernels/apply_direction.h"

namespace galore::kernels {

// The functions below take codes in NF4 (normal_float.h) as well, except where they change weights.
//
// Encodes `source` (fp32 or bf16, of the codes' shape). A null `stochastic` rounds to nearest; otherwise
// element i takes bits from block i / 8, slot i % 8 of the stream.
void encode_groups(const at::Tensor& source, const GroupQuantized& destination,
                   const RandomStream* stochastic);
// Decodes into `destination` (fp32 or bf16, rounded to nearest, of the codes' shape).
void decode_groups(const GroupQuantized& source, const at::Tensor& destination);

// A part of a matrix in 8-bit codes.
struct Block {
  int64_t first_row, rows, first_column, columns;
};
// Decodes a part into `destination` ([rows, columns], fp32 or bf16, contiguous).
void decode_block(const GroupQuantized& source, const Block& block, const at::Tensor& destination);
// Decodes the elements from `first` on, a multiple of the group size, into `destination` (flat).
void decode_part(const GroupQuantized& source, int64_t first, const at::Tensor& destination);
// Encodes a tensor piece by piece, so that it never exists as a whole.
class GroupEncoder {
 public:
  // `destination` must outlive this object.
  explicit GroupEncoder(const GroupQuantized& destination);
  // Encodes a piece (fp32 or bf16, contiguous) that begins at the element `first`, a multiple of the group
  // size.
  void add(const at::Tensor& values, int64_t first);
  // Call this after the last piece.
  void finish();

 private:
  const GroupQuantized& destination_;
  at::Tensor largest_;  // the largest magnitudes of all groups (NF4 only)
};
// Returns the codes of `count` elements from `first` on, a multiple of the group size, without a copy; 8 bits
// only.
GroupQuantized part_of(const GroupQuantized& codes, int64_t first, int64_t count);

// Updates weights without a copy of higher precision: decodes, takes one step of apply_direction.h in fp32
// and encodes again. `direction` is fp32 and of the weight's shape.
void update_groups(const WeightUpdate& update, const at::Tensor& direction, const GroupQuantized& weight);

// Returns true when every value is finite.
bool is_finite(const GroupQuantized& codes);

// These functions compute the same by tensor operations.
namespace composed {
void encode_groups(const at::Tensor& source, const GroupQuantized& destination,
                   const RandomStream* stochastic);
void decode_groups(const GroupQuantized& source, const at::Tensor& destination);
void update_groups(const WeightUpdate& update, const at::Tensor& direction, const GroupQuantized& weight);
}  // namespace composed

// The CPU versions on pointers; T is float or at::BFloat16.
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
// row_size is the number of elements of a whole row.
template <typename T>
void decode_block(const RawGroups& source, const Block& block, int64_t row_size, T* destination);
void update_groups(const UpdateTask& task, const RawGroups& weight);
}  // namespace cpu

}  // namespace galore::kernels
