// A random subset of a tensor's elements: one bit for each element, in words of 32 bits (int32, the lowest
// bit first).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/random.h"

namespace galore::kernels {

inline constexpr int64_t mask_words(int64_t elements) { return (elements + 31) / 32; }

// Marks the `chosen` of `elements` elements with the smallest numbers. Number i of the stream (block i / 4)
// belongs to element i; among equal numbers the lower i comes first. mask has mask_words(elements) words, on
// the CPU or meta.
void mark_smallest(const at::Tensor& mask, int64_t elements, int64_t chosen, const RandomStream& stream);

// Copies the marked elements of x in order into packed, which has as many elements as are marked. Both are
// fp32 and contiguous.
void gather_marked(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask);
// Copies packed elements back into x; elements that are not marked become 0.
void scatter_marked(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask);

namespace composed {
// Returns one boolean for each element, on the CPU.
at::Tensor booleans(const at::Tensor& mask, int64_t elements);
void gather_marked(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask);
void scatter_marked(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask);
}  // namespace composed

}  // namespace galore::kernels
