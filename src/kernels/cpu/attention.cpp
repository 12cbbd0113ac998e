#include <ATen/Parallel.h>

#include <cmath>

#include "kernels/cpu/attention_tasks.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

// A register tile is a struct of vectors, and vectors of unknown size (SVE, RISC-V) cannot be members.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// The state of a block of queries in the forward pass.
struct QueryBlock {
  float* scores;   // kBlock x kBlock; they become the weights
  float* out;      // kBlock x width, not yet divided by the sums
  float* largest;  // kBlock: largest score so far
  float* sum;      // kBlock: sum of the weights so far
  size_t width;
  const KeyRanges& ranges;
  HeadDropout dropout = {};
  float soft_cap = 0;
};

// Turns the scores of row `row` into weights and rescales the sums of earlier blocks. A row that sees no key
// of this block keeps its sums.
HWY_INLINE void softmax_row(const QueryBlock& block, size_t row, const Span& visible) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  float* scores = block.scores + row * kBlock;
  if (visible.empty()) {
    std::memset(scores, 0, kBlock * sizeof(float));
    return;
  }
  if (block.soft_cap > 0) cap_scores(scores, block.soft_cap);
  hide_scores(scores, visible);
  Float top = hn::Set(d, block.largest[row]);
  for (size_t i = 0; i < kBlock; i += lanes) top = hn::Max(top, hn::LoadU(d, scores + i));
  const float largest = hn::GetLane(hn::MaxOfLanes(d, top));
  const Float shift = hn::Set(d, largest);
  Float sum = hn::Zero(d);
  for (size_t i = 0; i < kBlock; i += lanes) {
    const Float weight = exponential(d, hn::Sub(hn::LoadU(d, scores + i), shift));
    hn::StoreU(weight, d, scores + i);
    sum = hn::Add(sum, weight);
  }
  const float shrink = std::exp(block.largest[row] - largest);
  block.sum[row] = block.sum[row] * shrink + hn::GetLane(hn::SumOfLanes(d, sum));
  block.largest[row] = largest;
  if (shrink == 1) return;
  float* out = block.out + row * block.width;
  for (size_t i = 0; i < block.width; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, out + i), hn::Set(d, shrink)), d, out + i);
  }
}

// Attends one block of queries to the keys of all its pairs.
HWY_INLINE void attend(const QueryBlock& block, const float* query, const float* keys, const float* values,
                       std::span<const BlockPair> pairs) {
  const size_t width = block.width, block_size = kBlock * width;
  std::memset(block.out, 0, block_size * sizeof(float));
  std::fill(block.largest, block.largest + kBlock, kHidden);
  std::memset(block.sum, 0, kBlock * sizeof(float));
  for (const BlockPair& pair : pairs) {
    const Span rows = pair.rows(), columns = pair.columns();
    float* scores = block.scores + rows.begin * kBlock;
    std::memset(scores, 0, rows.size() * kBlock * sizeof(float));
    add_matrix_product({scores, kBlock}, {query + rows.begin * width, width, 1},
                       {keys + pair.keys * block_size, kBlock}, {rows.size(), kBlock, width});
    for (size_t row = rows.begin; row < rows.end; ++row)
      softmax_row(block, row, block.ranges.columns(pair.queries * kBlock + row, pair.keys));
    drop_square(block.scores, block.dropout, pair);
    add_matrix_product({block.out + rows.begin * width, width}, {scores + columns.begin, kBlock, 1},
                       {values + pair.keys * block_size + columns.begin * width, width},
                       {rows.size(), width, columns.size()});
  }
}

// Writes the outputs and statistics of block `index` of the queries of head `head`.
template <typename T>
void store_block(const QueryBlock& block, const AttentionTask<T>& task, size_t head, size_t index) {
  const Head<T> out = task.out.shifted(head * task.dim).block(index);
  float* logsumexp = task.logsumexp.from(head).data + index * kBlock;
  for (size_t row = 0; row < block_length(task.length, index); ++row) {
    const float sum = block.sum[row];  // at least 1, except for a position that sees no key
    unpack(Head<T>{out.data + row * out.stride, out.stride}, block.out + row * block.width, 1, task.dim,
           sum == 0 ? 0 : 1 / sum);
    logsumexp[row] = sum == 0 ? kNoKeysLogsumexp : block.largest[row] + std::log(sum);
  }
}

// Keys and values are packed as soon as a block of queries needs them, while they are in the cache.
template <typename T>
void forward_task(const AttentionTask<T>& task) {
  const size_t length = task.length, dim = task.dim, width = padded(dim), block_size = kBlock * width;
  float *keys = task.scratch, *values = keys + padded(length) * width;
  float *query = values + padded(length) * width, *scores = query + block_size;
  float *out = scores + kBlock * kBlock, *largest = out + block_size;
  QueryBlock block{scores, out, largest, largest + kBlock, width, task.ranges, {}, task.soft_cap};
  size_t packed = 0;  // blocks of keys and values
  for (size_t head = 0; head < task.group; ++head) {
    block.dropout = dropout_of(task, head);
    for (size_t i = 0; i * kBlock < length; ++i) {
      const std::span<const BlockPair> pairs = task.pairs->of(i);
      for (; !pairs.empty() && packed <= pairs.back().keys; ++packed) {
        const size_t count = block_length(length, packed);
        pack_transposed(keys + packed * block_size, task.key.block(packed), count, dim);
        pack(values + packed * block_size, task.value.block(packed), count, dim, 1.0f);
      }
      pack(query, task.query.shifted(head * dim).block(i), block_length(length, i), dim, task.scale);
      attend(block, query, keys, values, pairs);
      store_block(block, task, head, i);
    }
  }
}

void forward_f32(const AttentionTask<float>& task) { forward_task(task); }
void forward_b16(const AttentionTask<c10::BFloat16>& task) { forward_task(task); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_b16);

namespace {

void call(const AttentionTask<float>& task) { HWY_DYNAMIC_DISPATCH(forward_f32)(task); }
void call(const AttentionTask<at::BFloat16>& task) { HWY_DYNAMIC_DISPATCH(forward_b16)(task); }

}  // namespace

bool attention(const AttentionTensors& tensors, Workspace& workspace) {
  const auto length = static_cast<size_t>(tensors.query.size(1)),
             dim = static_cast<size_t>(tensors.query.size(3));
  const at::Tensor scratch = thread_scratch(forward_scratch(length, dim), workspace);
  if (scratch.is_meta()) return true;
  const std::vector<Segment> segments = segments_of(tensors);
  return with_element(tensors.query, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t tasks = static_cast<int64_t>(segments.size()) * tensors.key.size(2);
    at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        AttentionTask<T> task = task_of<T>(tensors, segments, index);
        task.scratch = scratch_of_this_thread(scratch);
        call(task);
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
