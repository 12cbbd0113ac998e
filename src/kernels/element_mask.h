// A random subset of a tensor's elements: one bit an element, in words of 32 bits (int32, the lowest bit
// first).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/random.h"

namespace galore::kernels {

inline constexpr int64_t mask_words(int64_t elements) { return (elements + 31) / 32; }

// Marks those `chosen` of `elements` elements whose numbers are smallest, where number i of the stream (block
// i / 4) belongs to element i; of equal numbers the lower i goes first. mask: mask_words(elements), on the
// CPU or meta.
void mark_smallest(const at::Tensor& mask, int64_t elements, int64_t chosen, const RandomStream& stream);

// packed (as many elements as are marked) = the marked elements of x, in order. fp32, contiguous.
void gather_marked(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask);
// The reverse; elements that are not marked become 0.
void scatter_marked(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask);

namespace composed {
// One boolean an element, on the CPU.
at::Tensor booleans(const at::Tensor& mask, int64_t elements);
void gather_marked(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask);
void scatter_marked(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask);
}  // namespace composed

}  // namespace galore::kernels
