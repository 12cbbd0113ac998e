// Dropout (Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR
// 2014), in the form that every library has: what is kept is divided by the probability of being kept.
//
// A mask is never stored: which elements it drops follows from its stream and their place, so that a backward
// pass, or a second forward pass, draws the same one.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "core/random.h"
#include "kernels/matmul.h"

namespace galore {

struct DropoutMask {
  RandomStream stream;
  double probability;  // of an element to be dropped, in [0, 1)
};

// Elements are numbered in segments of 64: blocks 16 s to 16 s + 15 of the stream belong to segment s, and
// element e of it is dropped when word e / 16 of block e % 16 lies below the threshold.
inline constexpr int64_t kDropoutSegment = 64;
inline constexpr int64_t dropout_segments(int64_t elements) {
  return (elements + kDropoutSegment - 1) / kDropoutSegment;
}

// What the mask means for one number of 32 bits.
struct DropoutScale {
  uint32_t threshold;  // numbers below it drop
  float kept;          // what a kept element is multiplied by
};
DropoutScale dropout_scale(double probability);

// out = or += x times 0 or 1 / (1 - p), element by element. Legend: R rows of n elements. out, x: R x n,
// contiguous, one dtype; out may be x. Row r is row `first_row` + r of the mask, where each row takes whole
// segments: so a mask of few rows is part of one of many.
void dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write);

namespace reference {
// 0 or 1 / (1 - p): rows x elements in fp32; the first row's segments begin at `first_segment`.
at::Tensor dropout_factors(const DropoutMask& mask, int64_t first_segment, int64_t rows, int64_t elements,
                           at::Device device);
void dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write);
}  // namespace reference

}  // namespace galore
