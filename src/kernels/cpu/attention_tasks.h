// What the attention kernels of all instruction sets are given. Legend: T positions, D features of a head.
#pragma once

#include <cstddef>
#include <cstdint>

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

// One key head and the `group` query heads that read it, which lie side by side.
template <typename T>
struct AttentionTask {
  size_t length, dim, group;
  Head<T> query, key, value, out;
  float* logsumexp;  // group x T
  float* scratch;
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
