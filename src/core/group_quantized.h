// The parts of a tensor that is quantized in groups: codes of few bits, and a scale and a zero point for each
// group. kernels/group_quantize.h has the arithmetic of whole steps, kernels/normal_float.h that of NF4.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/memory.h"

namespace galore {

struct GroupFormat {
  int64_t bits = 8;           // 8, or 4 with two codes in each byte
  int64_t group_size = 256;   // must be even
  bool normal_float = false;  // NF4 with scales in 8 bits; 4 bits in groups of 64
  // The values are those of the model's files and never change, so no checkpoint holds the codes.
  bool fixed = false;
};

// A quantized tensor. Groups run over the flat, row-major tensor; the last group may be shorter.
struct GroupQuantized {
  // uint8. With 8 bits it has the tensor's shape. With 4 bits it is flat, and a byte holds two neighbours,
  // the first in its lower half, or with NF4 in its upper half.
  at::Tensor codes;
  at::Tensor scales;  // fp32, one for each group, or with NF4 for 256 groups; NaN makes every value NaN
  at::Tensor zeros;   // uint8, one for each group: its zero point, or with NF4 the code of its scale
  std::vector<int64_t> shape;
  GroupFormat format;
  at::Tensor offset = {};  // fp32, one number: the mean of the scales (NF4 only)

  int64_t numel() const { return c10::multiply_integers(shape); }
  bool is_meta() const { return codes.is_meta(); }
};

// Returns a quantized tensor of zeros.
GroupQuantized zero_group_codes(const GroupFormat& format, at::IntArrayRef shape, Owner owner,
                                Ledger& ledger);
// Returns the bytes of a quantized tensor with `count` elements.
int64_t group_code_bytes(const GroupFormat& format, int64_t count);

}  // namespace galore
