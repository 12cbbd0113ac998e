// The parts of a tensor that is quantized in groups: codes of few bits, and a scale and a zero point for each
// group. kernels/group_quantize.h has the arithmetic.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/memory.h"

namespace galore {

struct GroupFormat {
  int64_t bits = 8;          // 8, or 4 with two codes in each byte
  int64_t group_size = 256;  // must be even
};

// A quantized tensor: value = (code - zero) * scale. Groups run over the flat, row-major tensor; the last
// group may be shorter.
struct GroupQuantized {
  // uint8. With 8 bits it has the tensor's shape. With 4 bits it is flat, and a byte holds two neighbours,
  // the first in its lower half.
  at::Tensor codes;
  at::Tensor scales;  // fp32, one for each group; NaN makes every value of the group NaN
  at::Tensor zeros;   // uint8, one for each group
  std::vector<int64_t> shape;
  GroupFormat format;

  int64_t numel() const { return c10::multiply_integers(shape); }
  bool is_meta() const { return codes.is_meta(); }
};

// Returns a quantized tensor of zeros.
GroupQuantized zero_group_codes(const GroupFormat& format, at::IntArrayRef shape, Owner owner,
                                Ledger& ledger);
// Returns the bytes of a quantized tensor with `count` elements.
int64_t group_code_bytes(const GroupFormat& format, int64_t count);

}  // namespace galore
