// Independent normal numbers from a counter-based stream.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/group_codes.h"
#include "core/random.h"

namespace galore {

// out ~ N(0, deviation^2), any float dtype, contiguous. Block i of the stream gives numbers 4i to 4i + 3
// (normal_pair of core/random.h), so the result depends on the stream alone: not on threads, and on the
// processor or device only by the rounding of logarithm and sine. Nothing happens on the meta device.
void random_normal(const at::Tensor& out, double deviation, const RandomStream& stream);
// The same numbers in 8-bit codes, made and coded piece by piece.
void random_normal(const GroupCodes& out, double deviation, const RandomStream& stream);

namespace composed {
void random_normal(float* out, int64_t count, uint64_t first_block, double deviation,
                   const RandomStream& stream);
}

namespace kernels::cpu {
// Numbers 4 * first_block and following; count need not be a multiple of 4.
void random_normal(float* out, int64_t count, uint64_t first_block, float deviation,
                   const RandomStream& stream);
}  // namespace kernels::cpu

}  // namespace galore
