// What the attention kernels of all instruction sets are given. Legend: T positions, D features of a head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/cpu/key_blocks.h"
#include "kernels/dropout.h"

namespace galore::kernels::cpu {

// One head of one row: position t begins at data + t * stride.
template <typename T>
struct Head {
  T* data;
  size_t stride;
  Head shifted(size_t features) const { return {data + features, stride}; }
};

// A query's weights in segments, one a block of keys.
static_assert(kBlock == kDropoutSegment);
struct TaskDropout {
  RandomStream stream;
  DropoutScale scale;
  uint64_t first_segment;  // of the task's first query head
  size_t blocks;           // of T

  // Of the weights that query `query` of head `head` gives to key block `block`.
  uint64_t segment(size_t head, size_t length, size_t query, size_t block) const {
    return first_segment + (head * length + query) * blocks + block;
  }
};

// One key head and the `group` query heads that read it, which lie side by side.
template <typename T>
struct AttentionTask {
  size_t length, dim, group;
  Head<T> query, key, value, out;
  float* logsumexp;  // group x T
  float* scratch;
  KeyRanges ranges;
  const BlockPairs* pairs;  // of `ranges`
  std::optional<TaskDropout> dropout;
};

template <typename T>
struct AttentionBackwardTask {
  AttentionTask<T> forward;
  Head<T> out_gradient, query_gradient, key_gradient, value_gradient;
};

// Floats of scratch memory that one thread needs.
inline size_t forward_scratch(size_t length, size_t dim) {
  return 3 * padded(length) * padded(dim) + kBlock * (kBlock + padded(dim) + 2);
}
inline size_t backward_scratch(size_t length, size_t dim) {
  return 8 * padded(length) * padded(dim) + 2 * kBlock * kBlock + 2 * padded(length);
}

}  // namespace galore::kernels::cpu
