// Numbers in few bits: groups of codes that share a scale and a zero. Here only what such a tensor is made
// of; kernels/group_quantize.h has the arithmetic.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/memory.h"

namespace galore {

struct GroupFormat {
  int64_t bits = 8;          // 8, or 4: two codes a byte
  int64_t group_size = 256;  // even
};

// value = (code - zero) * scale. Groups run over the flat, row-major tensor; the last one may be short.
struct GroupCodes {
  // uint8. 8 bits: of the tensor's shape. 4 bits: flat; of two neighbours the first is in the lower half.
  at::Tensor codes;
  at::Tensor scales;  // fp32, one a group; NaN: so is every value of the group
  at::Tensor zeros;   // uint8, one a group
  std::vector<int64_t> shape;
  GroupFormat format;

  int64_t numel() const { return c10::multiply_integers(shape); }
  bool is_meta() const { return codes.is_meta(); }
};

// All values zero.
GroupCodes zero_group_codes(const GroupFormat& format, at::IntArrayRef shape, Owner owner, Ledger& ledger);
// Bytes of a tensor of so many elements.
int64_t group_code_bytes(const GroupFormat& format, int64_t count);

}  // namespace galore
