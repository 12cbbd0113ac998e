// Independent normal numbers from a counter-based stream.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/group_quantized.h"
#include "core/random.h"

namespace galore {

// Fills out (any float dtype, contiguous) with N(0, deviation^2). Block i of the stream gives numbers 4i to
// 4i + 3 (normal_pair of core/random.h). So the result depends only on the stream, not on threads, and on the
// processor or device only by the rounding of logarithm and sine. It does nothing on the meta device.
void random_normal(const at::Tensor& out, double deviation, const RandomStream& stream);
// Writes the same numbers in 8-bit codes, generated and coded piece by piece.
void random_normal(const GroupQuantized& out, double deviation, const RandomStream& stream);

namespace composed {
void random_normal(float* out, int64_t count, uint64_t first_block, double deviation,
                   const RandomStream& stream);
}

namespace kernels::cpu {
// Generates the numbers from 4 * first_block on; count need not be a multiple of 4.
void random_normal(float* out, int64_t count, uint64_t first_block, float deviation,
                   const RandomStream& stream);
}  // namespace kernels::cpu

}  // namespace galore
