// The inputs of the attention kernels of all instruction sets. Legend: T positions, D features of a head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/memory.h"
#include "kernels/attention.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/key_blocks.h"
#include "kernels/dropout.h"

namespace galore::kernels::cpu {

// One head of one row: position t begins at data + t * stride.
template <typename T>
struct Head {
  T* data;
  size_t stride;
  Head shifted(size_t features) const { return {data + features, stride}; }
  Head from(size_t position) const { return {data + position * stride, stride}; }
  Head block(size_t index) const { return from(index * kBlock); }
};

// Positions of block `index` of T.
inline size_t block_length(size_t length, size_t index) { return std::min(kBlock, length - index * kBlock); }

// The weights of a query consist of segments, one for each block of keys.
static_assert(kBlock == kDropoutSegment);
struct TaskDropout {
  RandomStream stream;
  DropoutScale scale;
  uint64_t first_segment;  // of the task's first query of its first head
  size_t row_length;       // T
  size_t blocks;           // number of key blocks in T positions

  // Returns the segment of the weights that query `query` of head `head` gives to key block `block`.
  uint64_t segment(size_t head, size_t query, size_t block) const {
    return first_segment + (head * row_length + query) * blocks + block;
  }
};

// A segment of one row, a key head and the `group` query heads that read it, which lie side by side.
template <typename T>
struct AttentionTask {
  size_t length, dim, group;
  Head<T> query, key, value, out;
  Head<float> logsumexp;  // head h begins at data + h * stride
  float* scratch;
  KeyRanges ranges;
  const BlockPairs* pairs;  // pairs of `ranges`
  std::optional<TaskDropout> dropout;
  float scale, soft_cap;  // of the scores; a cap of 0 is none
};

template <typename T>
struct AttentionBackwardTask {
  AttentionTask<T> forward;
  Head<T> out_gradient, query_gradient, key_gradient, value_gradient;
};

// Return the floats of scratch memory that one thread needs.
inline size_t forward_scratch(size_t length, size_t dim) {
  return 2 * padded(length) * padded(dim) + kBlock * (kBlock + 2 * padded(dim) + 2);
}
inline size_t backward_scratch(size_t length, size_t dim) {
  return 5 * padded(length) * padded(dim) + kBlock * (2 * kBlock + 3 * padded(dim) + 2);
}
// Threads x floats.
at::Tensor thread_scratch(size_t floats, Workspace& workspace);
float* scratch_of_this_thread(const at::Tensor& scratch);

// Positions of one row that see no keys but their own.
struct Segment {
  int64_t row;
  KeyRanges ranges;
  std::shared_ptr<const BlockPairs> pairs;  // rows without ranges of their own share them
};
std::vector<Segment> segments_of(const AttentionTensors& tensors);
// Returns the dropout of the query heads from `head` on, or nothing without dropout.
std::optional<TaskDropout> task_dropout(const AttentionTensors& tensors, const Segment& segment,
                                        int64_t head);

// Returns the heads from `head` on in one row of x, B x T x heads x D.
template <typename T>
Head<T> head_of(const at::Tensor& x, int64_t row, int64_t head) {
  const auto stride = static_cast<size_t>(x.size(2) * x.size(3));
  return {data<T>(x) + row * x.stride(0) + head * x.size(3), stride};
}

// Task number `index` of segments x K; scratch is not set.
template <typename T>
AttentionTask<T> task_of(const AttentionTensors& t, const std::vector<Segment>& segments, int64_t index) {
  const int64_t heads = t.query.size(2), key_heads = t.key.size(2), group = heads / key_heads;
  const Segment& segment = segments[static_cast<size_t>(index / key_heads)];
  const int64_t row = segment.row, key_head = index % key_heads, head = key_head * group;
  const int64_t length = t.query.size(1);
  const size_t begin = segment.ranges.offset;
  return {segment.ranges.length,
          static_cast<size_t>(t.query.size(3)),
          static_cast<size_t>(group),
          head_of<T>(t.query, row, head).from(begin),
          head_of<T>(t.key, row, key_head).from(begin),
          head_of<T>(t.value, row, key_head).from(begin),
          head_of<T>(t.out, row, head).from(begin),
          {data<float>(t.logsumexp) + (row * heads + head) * length + begin, static_cast<size_t>(length)},
          nullptr,
          segment.ranges,
          segment.pairs.get(),
          task_dropout(t, segment, head),
          static_cast<float>(score_scale(t.scores, t.query.size(3))),
          static_cast<float>(t.scores.soft_cap)};
}

}  // namespace galore::kernels::cpu
