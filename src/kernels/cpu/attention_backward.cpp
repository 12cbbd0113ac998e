#include <ATen/Parallel.h>

#include <cmath>
#include <utility>

#include "kernels/cpu/attention_tasks.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

// A register tile is a struct of vectors, and vectors of unknown size (SVE, RISC-V) cannot be members.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Packed operands. Those of the key head hold all blocks of positions, one after the other; those of the
// query head hold one block.
struct BackwardBuffers {
  float *key, *key_transposed, *value_transposed, *key_gradient, *value_gradient;  // padded(T) x padded(D)
  float *query, *out_gradient, *query_gradient;                                    // kBlock x padded(D)
  float *weights, *score_gradient;                                                 // kBlock x kBlock
  float *logsumexp, *row_sum;                                                      // kBlock
  size_t width;
  const KeyRanges& ranges;
  float soft_cap;
  HeadDropout dropout = {};
};

template <typename T>
BackwardBuffers backward_buffers(const AttentionTask<T>& task) {
  float* scratch = task.scratch;
  const KeyRanges& ranges = task.ranges;
  const size_t width = padded(task.dim);
  const auto take = [&scratch](size_t floats) { return std::exchange(scratch, scratch + floats); };
  const auto take_all = [&] { return take(padded(ranges.length) * width); };
  const auto take_block = [&] { return take(kBlock * width); };
  const auto take_square = [&] { return take(kBlock * kBlock); };
  return {take_all(),   take_all(),   take_all(),   take_all(),    take_all(),
          take_block(), take_block(), take_block(), take_square(), take_square(),
          take(kBlock), take(kBlock), width,        ranges,        task.soft_cap};
}

// The statistics of one query, and the cap of its scores.
struct RowOfScores {
  float logsumexp, row_sum, soft_cap;
};

// Computes weights = exp(scores - logsumexp) and score_gradient = weights * (score_gradient - row_sum) for
// one row, whose scores are given in `weights`.
HWY_INLINE void score_gradient_row(float* weights, float* gradient, const RowOfScores& row,
                                   const Span& visible) {
  if (visible.empty()) {
    std::memset(weights, 0, kBlock * sizeof(float));
    std::memset(gradient, 0, kBlock * sizeof(float));
    return;
  }
  const FloatTag d;
  const Float shift = hn::Set(d, row.logsumexp), mean = hn::Set(d, row.row_sum);
  HWY_ALIGN float capped[kBlock];
  if (row.soft_cap > 0) {
    cap_scores(weights, row.soft_cap);
    std::memcpy(capped, weights, sizeof capped);
  }
  hide_scores(weights, visible);
  for (size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
    const Float weight = exponential(d, hn::Sub(hn::LoadU(d, weights + i), shift));
    hn::StoreU(weight, d, weights + i);
    hn::StoreU(hn::Mul(weight, hn::Sub(hn::LoadU(d, gradient + i), mean)), d, gradient + i);
  }
  if (row.soft_cap > 0) uncap_gradients(gradient, capped, row.soft_cap);
}

// Adds the products of one pair of blocks to the three gradients.
HWY_INLINE void backward_block(const BackwardBuffers& b, const BlockPair& pair) {
  const size_t width = b.width, at_keys = pair.keys * kBlock * width, first_query = pair.queries * kBlock;
  const Span rows = pair.rows(), columns = pair.columns();
  const size_t seeing = rows.begin * width, seen = at_keys + columns.begin * width;
  const size_t first = rows.begin * kBlock, corner = first + columns.begin;
  const Extent scores{rows.size(), kBlock, width}, keys{columns.size(), width, rows.size()};
  std::memset(b.weights + first, 0, rows.size() * kBlock * sizeof(float));
  std::memset(b.score_gradient + first, 0, rows.size() * kBlock * sizeof(float));
  add_matrix_product({b.weights + first, kBlock}, {b.query + seeing, width, 1},
                     {b.key_transposed + at_keys, kBlock}, scores);
  add_matrix_product({b.score_gradient + first, kBlock}, {b.out_gradient + seeing, width, 1},
                     {b.value_transposed + at_keys, kBlock}, scores);
  drop_square(b.score_gradient, b.dropout, pair);
  for (size_t row = rows.begin; row < rows.end; ++row) {
    score_gradient_row(b.weights + row * kBlock, b.score_gradient + row * kBlock,
                       {b.logsumexp[row], b.row_sum[row], b.soft_cap},
                       b.ranges.columns(first_query + row, pair.keys));
  }
  drop_square(b.weights, b.dropout, pair);
  add_matrix_product({b.value_gradient + seen, width}, {b.weights + corner, 1, kBlock},
                     {b.out_gradient + seeing, width}, keys);
  add_matrix_product({b.key_gradient + seen, width}, {b.score_gradient + corner, 1, kBlock},
                     {b.query + seeing, width}, keys);
  add_matrix_product({b.query_gradient + seeing, width}, {b.score_gradient + corner, kBlock, 1},
                     {b.key + seen, width}, {rows.size(), width, columns.size()});
}

// The statistics of a block of queries of one head; those of positions from T on are never read.
template <typename T>
void pack_statistics(const BackwardBuffers& b, const AttentionTask<T>& task, size_t head, size_t index) {
  const FloatTag d;
  const Head<T> out = task.out.shifted(head * task.dim).block(index);
  const float* logsumexp = task.logsumexp.from(head).data + index * kBlock;
  for (size_t row = 0; row < block_length(task.length, index); ++row) {
    b.logsumexp[row] = logsumexp[row];
    Float sum = hn::Zero(d);
    for (size_t i = 0; i < task.dim; i += hn::Lanes(d)) {
      const Float value = load_some(d, out.data + row * out.stride + i, task.dim - i);
      sum = hn::MulAdd(value, hn::LoadU(d, b.out_gradient + row * b.width + i), sum);
    }
    b.row_sum[row] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

// Packs block `index` of keys and values, and clears its gradients.
template <typename T>
void prepare_keys(const BackwardBuffers& b, const AttentionTask<T>& task, size_t index) {
  const size_t count = block_length(task.length, index), size = kBlock * b.width, at = index * size;
  pack(b.key + at, task.key.block(index), count, task.dim, 1.0f);
  pack_transposed(b.key_transposed + at, task.key.block(index), count, task.dim);
  pack_transposed(b.value_transposed + at, task.value.block(index), count, task.dim);
  std::memset(b.key_gradient + at, 0, size * sizeof(float));
  std::memset(b.value_gradient + at, 0, size * sizeof(float));
}

// One block of queries of one head.
template <typename T>
void backward_queries(const BackwardBuffers& b, const AttentionBackwardTask<T>& backward, size_t head,
                      size_t index) {
  const AttentionTask<T>& task = backward.forward;
  const size_t feature = head * task.dim, count = block_length(task.length, index);
  pack(b.query, task.query.shifted(feature).block(index), count, task.dim, task.scale);
  pack(b.out_gradient, backward.out_gradient.shifted(feature).block(index), count, task.dim, 1.0f);
  pack_statistics(b, task, head, index);
  std::memset(b.query_gradient, 0, kBlock * b.width * sizeof(float));
  for (const BlockPair& pair : task.pairs->of(index)) backward_block(b, pair);
  unpack(backward.query_gradient.shifted(feature).block(index), b.query_gradient, count, task.dim,
         task.scale);
}

// Keys and values are packed as soon as a block of queries needs them, while they are in the cache.
template <typename T>
void backward_task(const AttentionBackwardTask<T>& backward) {
  const AttentionTask<T>& task = backward.forward;
  const size_t length = task.length, dim = task.dim, blocks = padded(length) / kBlock;
  BackwardBuffers b = backward_buffers(task);
  size_t prepared = 0;  // blocks of keys
  for (size_t head = 0; head < task.group; ++head) {
    b.dropout = dropout_of(task, head);
    for (size_t i = 0; i < blocks; ++i) {
      const std::span<const BlockPair> pairs = task.pairs->of(i);
      for (; !pairs.empty() && prepared <= pairs.back().keys; ++prepared) prepare_keys(b, task, prepared);
      backward_queries(b, backward, head, i);
    }
  }
  for (; prepared < blocks; ++prepared) prepare_keys(b, task, prepared);
  unpack(backward.key_gradient, b.key_gradient, length, dim, 1.0f);
  unpack(backward.value_gradient, b.value_gradient, length, dim, 1.0f);
}

void backward_f32(const AttentionBackwardTask<float>& task) { backward_task(task); }
void backward_b16(const AttentionBackwardTask<c10::BFloat16>& task) { backward_task(task); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_b16);

namespace {

void call(const AttentionBackwardTask<float>& task) { HWY_DYNAMIC_DISPATCH(backward_f32)(task); }
void call(const AttentionBackwardTask<at::BFloat16>& task) { HWY_DYNAMIC_DISPATCH(backward_b16)(task); }

}  // namespace

bool attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace) {
  const auto length = static_cast<size_t>(tensors.query.size(1)),
             dim = static_cast<size_t>(tensors.query.size(3));
  const at::Tensor scratch = thread_scratch(backward_scratch(length, dim), workspace);
  if (scratch.is_meta()) return true;
  const std::vector<Segment> segments = segments_of(tensors);
  return with_element(tensors.query, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t key_heads = tensors.key.size(2), group = tensors.query.size(2) / key_heads;
    const int64_t tasks = static_cast<int64_t>(segments.size()) * key_heads;
    at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const Segment& segment = segments[static_cast<size_t>(index / key_heads)];
        const int64_t head = index % key_heads;
        const auto of = [&](const at::Tensor& x, int64_t number) {
          return head_of<T>(x, segment.row, number).from(segment.ranges.offset);
        };
        AttentionBackwardTask<T> task{task_of<T>(tensors, segments, index), of(out_gradient, head * group),
                                      of(gradients.query, head * group), of(gradients.key, head),
                                      of(gradients.value, head)};
        task.forward.scratch = scratch_of_this_thread(scratch);
        call(task);
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
