// What the attention kernels of all instruction sets are given. Legend: T positions, D features of a head.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/dropout.h"

namespace galore::kernels::cpu {

inline constexpr size_t kBlock = 64;  // queries and keys of a block; T and D are padded to multiples of it

inline size_t padded(size_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

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
  size_t window;  // of keys that a query sees, at most T
  std::optional<TaskDropout> dropout;
};

// The columns [begin, end) of block `block` of the keys that a query sees.
struct Visible {
  size_t begin, end;
};
inline Visible visible_keys(size_t query, size_t block, size_t window) {
  const size_t first_key = block * kBlock, first = query + 1 > window ? query + 1 - window : 0;
  return {first > first_key ? std::min(first - first_key, kBlock) : 0,
          std::min(query + 1 - first_key, kBlock)};
}
// The first block of keys that some query of block `block` sees.
inline size_t first_key_block(size_t block, size_t window) {
  const size_t query = block * kBlock;
  return query + 1 > window ? (query + 1 - window) / kBlock : 0;
}

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
