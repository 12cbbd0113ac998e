// Dropout (Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014)
// in the usual form: kept elements are divided by the probability of being kept.
//
// A mask is never stored. Its random stream and the place of an element decide whether the element is
// dropped, so a backward pass or a second forward pass draws the same mask.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "core/random.h"
#include "kernels/matmul.h"

namespace galore {

struct DropoutMask {
  RandomStream stream;
  double probability;  // probability that an element is dropped, in [0, 1)
};

// Elements are numbered in segments of 64. Blocks 16 s to 16 s + 15 of the stream belong to segment s, and
// its element e is dropped when word e / 16 of block e % 16 is below the threshold.
inline constexpr int64_t kDropoutSegment = 64;
inline constexpr int64_t dropout_segments(int64_t elements) {
  return (elements + kDropoutSegment - 1) / kDropoutSegment;
}

// The effect of a mask on one 32-bit number.
struct DropoutScale {
  uint32_t threshold;  // smaller numbers drop the element
  float kept;          // factor of a kept element
};
DropoutScale dropout_scale(double probability);

// Computes out = or += x times 0 or 1 / (1 - p), element by element. Legend: R rows of n elements. out and x
// are R x n, contiguous and of one dtype; out may be x. Row r is row `first_row` + r of the mask. Each row
// uses whole segments, so a mask of few rows is part of a mask of many.
void dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write);

namespace reference {
// Returns the factors 0 or 1 / (1 - p): rows x elements in fp32. The first row's segments begin at
// `first_segment`.
at::Tensor dropout_factors(const DropoutMask& mask, int64_t first_segment, int64_t rows, int64_t elements,
                           at::Device device);
void dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write);
}  // namespace reference

}  // namespace galore
