#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "kernels/cpu/attention_tasks.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

// A register tile is a struct of vectors, which vectors of unknown size (SVE, RISC-V) cannot be part of.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/dropout-inl.h"
#include "kernels/cpu/exponential-inl.h"
#include "kernels/cpu/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

constexpr float kHidden = -1e30f;  // stands for minus infinity, without its special cases

// The dropout of one query head's weights.
struct HeadDropout {
  const TaskDropout* task;  // null: none
  size_t head, length;
};

template <typename T>
HeadDropout dropout_of(const AttentionTask<T>& task, size_t head) {
  return {task.dropout ? &*task.dropout : nullptr, head, task.length};
}

// Multiplies the pair's rows of a square of weights, or of their gradients, by the factors of dropout.
HWY_INLINE void drop_square(float* square, const HeadDropout& dropout, const BlockPair& pair) {
  if (!dropout.task) return;
  const FloatTag d;
  HWY_ALIGN float factors[kBlock];
  const size_t first = pair.queries * kBlock;
  for (size_t row = pair.first_row; row < pair.end_row && first + row < dropout.length; ++row) {
    const uint64_t segment = dropout.task->segment(dropout.head, dropout.length, first + row, pair.keys);
    dropout_factors(factors, dropout.task->stream, segment, dropout.task->scale);
    float* values = square + row * kBlock;
    for (size_t k = 0; k < kBlock; k += hn::Lanes(d))
      hn::StoreU(hn::Mul(hn::LoadU(d, values + k), hn::LoadU(d, factors + k)), d, values + k);
  }
}

// The state of a block of queries in the forward pass.
struct QueryBlock {
  float* scores;   // kBlock x kBlock; become the weights
  float* out;      // kBlock x width, not yet divided by the sums
  float* largest;  // kBlock: largest score so far
  float* sum;      // kBlock: of the weights so far
  size_t width;
  const KeyRanges& ranges;
  HeadDropout dropout = {};
};

// Turns the scores of row `row` into weights and rescales the sums of earlier blocks. A row that sees no key
// of this block leaves its sums alone.
HWY_INLINE void softmax_row(const QueryBlock& block, size_t row, const Span& visible) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  float* scores = block.scores + row * kBlock;
  if (visible.empty()) {
    std::memset(scores, 0, kBlock * sizeof(float));
    return;
  }
  std::fill(scores, scores + visible.begin, kHidden);
  for (size_t i = visible.end; i < kBlock; ++i) scores[i] = kHidden;
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

// One block of queries against the keys of all its pairs.
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

template <typename T>
void forward_task(const AttentionTask<T>& task) {
  const size_t width = padded(task.dim), size = padded(task.length) * width;
  float *keys = task.scratch, *values = keys + size, *queries = values + size, *rest = queries + size;
  QueryBlock block{rest,
                   rest + kBlock * kBlock,
                   rest + kBlock * (kBlock + width),
                   rest + kBlock * (kBlock + width + 1),
                   width,
                   task.ranges};
  pack_transposed(keys, task.key, task.length, task.dim);
  pack(values, task.value, task.length, task.dim, 1.0f);
  for (size_t head = 0; head < task.group; ++head) {
    const Head<T> out = task.out.shifted(head * task.dim);
    block.dropout = dropout_of(task, head);
    pack(queries, task.query.shifted(head * task.dim), task.length, task.dim,
         static_cast<float>(1 / std::sqrt(static_cast<double>(task.dim))));
    for (size_t first = 0; first < task.length; first += kBlock) {
      attend(block, queries + first * width, keys, values, task.pairs->of(first / kBlock));
      const size_t count = std::min(kBlock, task.length - first);
      for (size_t row = 0; row < count; ++row) {
        const float sum = block.sum[row];  // at least 1, except for a position that sees no key
        unpack(Head<T>{out.data + (first + row) * out.stride, out.stride}, block.out + row * width, 1,
               task.dim, sum == 0 ? 0 : 1 / sum);
        task.logsumexp[head * task.length + first + row] =
            sum == 0 ? kNoKeysLogsumexp : block.largest[row] + std::log(sum);
      }
    }
  }
}

// Packed operands of the backward pass; blocks of positions lie one after the other.
struct BackwardBuffers {
  float *key, *key_transposed, *value_transposed, *key_gradient, *value_gradient;  // of the key head
  float *query, *out_gradient, *query_gradient;                                    // of the query head
  float *weights, *score_gradient;                                                 // kBlock x kBlock
  float *logsumexp, *row_sum;                                                      // padded(T)
  size_t width;
  const KeyRanges& ranges;
  HeadDropout dropout = {};
};

BackwardBuffers backward_buffers(float* scratch, const KeyRanges& ranges, size_t dim) {
  const size_t length = ranges.length, width = padded(dim), size = padded(length) * width;
  float* square = scratch + 8 * size;
  float* rows = square + 2 * kBlock * kBlock;
  return {scratch,
          scratch + size,
          scratch + 2 * size,
          scratch + 3 * size,
          scratch + 4 * size,
          scratch + 5 * size,
          scratch + 6 * size,
          scratch + 7 * size,
          square,
          square + kBlock * kBlock,
          rows,
          rows + padded(length),
          width,
          ranges};
}

// weights = exp(scores - logsumexp) and score_gradient = weights * (score_gradient - row_sum), one row.
HWY_INLINE void score_gradient_row(float* weights, float* gradient, float logsumexp, float row_sum,
                                   const Span& visible) {
  if (visible.empty()) {
    std::memset(weights, 0, kBlock * sizeof(float));
    std::memset(gradient, 0, kBlock * sizeof(float));
    return;
  }
  const FloatTag d;
  const Float shift = hn::Set(d, logsumexp), mean = hn::Set(d, row_sum);
  std::fill(weights, weights + visible.begin, kHidden);
  for (size_t i = visible.end; i < kBlock; ++i) weights[i] = kHidden;
  for (size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
    const Float weight = exponential(d, hn::Sub(hn::LoadU(d, weights + i), shift));
    hn::StoreU(weight, d, weights + i);
    hn::StoreU(hn::Mul(weight, hn::Sub(hn::LoadU(d, gradient + i), mean)), d, gradient + i);
  }
}

// The products that a pair of blocks adds to the three gradients.
HWY_INLINE void backward_block(const BackwardBuffers& b, const BlockPair& pair) {
  const size_t width = b.width, at_keys = pair.keys * kBlock * width, first_query = pair.queries * kBlock;
  const Span rows = pair.rows(), columns = pair.columns();
  const size_t seeing = (first_query + rows.begin) * width, seen = at_keys + columns.begin * width;
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
                       b.logsumexp[first_query + row], b.row_sum[first_query + row],
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

// The statistics of a query head; those of positions from T on are never read.
template <typename T>
void pack_rows(const BackwardBuffers& b, const AttentionTask<T>& task, const Head<T>& out, size_t head) {
  const FloatTag d;
  for (size_t t = 0; t < task.length; ++t) {
    b.logsumexp[t] = task.logsumexp[head * task.length + t];
    Float sum = hn::Zero(d);
    for (size_t i = 0; i < task.dim; i += hn::Lanes(d)) {
      const Float value = load_some(d, out.data + t * out.stride + i, task.dim - i);
      sum = hn::MulAdd(value, hn::LoadU(d, b.out_gradient + t * b.width + i), sum);
    }
    b.row_sum[t] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

template <typename T>
void backward_task(const AttentionBackwardTask<T>& backward) {
  const AttentionTask<T>& task = backward.forward;
  const size_t length = task.length, dim = task.dim, size = padded(length) * padded(dim);
  BackwardBuffers b = backward_buffers(task.scratch, task.ranges, dim);
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dim)));
  pack(b.key, task.key, length, dim, 1.0f);
  pack_transposed(b.key_transposed, task.key, length, dim);
  pack_transposed(b.value_transposed, task.value, length, dim);
  std::memset(b.key_gradient, 0, 2 * size * sizeof(float));
  for (size_t head = 0; head < task.group; ++head) {
    pack(b.query, task.query.shifted(head * dim), length, dim, scale);
    pack(b.out_gradient, backward.out_gradient.shifted(head * dim), length, dim, 1.0f);
    pack_rows(b, task, task.out.shifted(head * dim), head);
    b.dropout = dropout_of(task, head);
    std::memset(b.query_gradient, 0, size * sizeof(float));
    for (const BlockPair& pair : task.pairs->all()) backward_block(b, pair);
    unpack(backward.query_gradient.shifted(head * dim), b.query_gradient, length, dim, scale);
  }
  unpack(backward.key_gradient, b.key_gradient, length, dim, 1.0f);
  unpack(backward.value_gradient, b.value_gradient, length, dim, 1.0f);
}

void forward_f32(const AttentionTask<float>& task) { forward_task(task); }
void forward_b16(const AttentionTask<c10::BFloat16>& task) { forward_task(task); }
void backward_f32(const AttentionBackwardTask<float>& task) { backward_task(task); }
void backward_b16(const AttentionBackwardTask<c10::BFloat16>& task) { backward_task(task); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_b16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_b16);

namespace {

void call(const AttentionTask<float>& task) { HWY_DYNAMIC_DISPATCH(forward_f32)(task); }
void call(const AttentionTask<at::BFloat16>& task) { HWY_DYNAMIC_DISPATCH(forward_b16)(task); }
void call(const AttentionBackwardTask<float>& task) { HWY_DYNAMIC_DISPATCH(backward_f32)(task); }
void call(const AttentionBackwardTask<at::BFloat16>& task) { HWY_DYNAMIC_DISPATCH(backward_b16)(task); }

// The heads from `head` on of one row of x: B x T x heads x D.
template <typename T>
Head<T> head_of(const at::Tensor& x, int64_t row, int64_t head) {
  const auto stride = static_cast<size_t>(x.size(2) * x.size(3));
  return {data<T>(x) + row * x.stride(0) + head * x.size(3), stride};
}

std::optional<TaskDropout> task_dropout(const AttentionTensors& t, int64_t row, int64_t head) {
  if (!t.dropout) return std::nullopt;
  const int64_t length = t.query.size(1), blocks = dropout_segments(length);
  const int64_t first = ((t.first_row + row) * t.query.size(2) + head) * length * blocks;
  return TaskDropout{t.dropout->stream, dropout_scale(t.dropout->probability), static_cast<uint64_t>(first),
                     static_cast<size_t>(blocks)};
}

KeyRanges ranges_of(const AttentionTensors& t, int64_t row) {
  const int64_t length = t.query.size(1);
  const auto of_row = [&](const at::Tensor& bounds) {
    return bounds.defined() ? data<int32_t>(bounds) + row * length : nullptr;
  };
  return {of_row(t.first_key), of_row(t.end_key), static_cast<size_t>(length),
          static_cast<size_t>(t.window > 0 ? std::min(t.window, length) : length)};
}

// One entry for each row, or one for all rows without ranges of their own.
std::vector<BlockPairs> block_pairs(const AttentionTensors& t) {
  std::vector<BlockPairs> pairs;
  const int64_t entries = t.first_key.defined() ? t.query.size(0) : 1;
  for (int64_t row = 0; row < entries; ++row) pairs.emplace_back(ranges_of(t, row));
  return pairs;
}

// Task number `index` of B x K; scratch is not set.
template <typename T>
AttentionTask<T> task_of(const AttentionTensors& t, const std::vector<BlockPairs>& pairs, int64_t index) {
  const int64_t heads = t.query.size(2), key_heads = t.key.size(2), group = heads / key_heads;
  const int64_t row = index / key_heads, key_head = index % key_heads, head = key_head * group;
  const int64_t length = t.query.size(1);
  return {static_cast<size_t>(length),
          static_cast<size_t>(t.query.size(3)),
          static_cast<size_t>(group),
          head_of<T>(t.query, row, head),
          head_of<T>(t.key, row, key_head),
          head_of<T>(t.value, row, key_head),
          head_of<T>(t.out, row, head),
          data<float>(t.logsumexp) + (row * heads + head) * length,
          nullptr,
          ranges_of(t, row),
          &pairs[pairs.size() == 1 ? 0 : static_cast<size_t>(row)],
          task_dropout(t, row, head)};
}

at::Tensor thread_scratch(size_t floats, Workspace& workspace) {
  return workspace.get(Owner::workspace, "attention.scratch",
                       {at::get_num_threads(), static_cast<int64_t>(floats)}, at::kFloat);
}

float* scratch_of_this_thread(const at::Tensor& scratch) {
  return data<float>(scratch) + at::get_thread_num() * scratch.size(1);
}

}  // namespace

bool attention(const AttentionTensors& tensors, Workspace& workspace) {
  const auto length = static_cast<size_t>(tensors.query.size(1)),
             dim = static_cast<size_t>(tensors.query.size(3));
  const at::Tensor scratch = thread_scratch(forward_scratch(length, dim), workspace);
  if (scratch.is_meta()) return true;
  const std::vector<BlockPairs> pairs = block_pairs(tensors);
  return with_element(tensors.query, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t tasks = tensors.key.size(0) * tensors.key.size(2);
    at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        AttentionTask<T> task = task_of<T>(tensors, pairs, index);
        task.scratch = scratch_of_this_thread(scratch);
        call(task);
      }
    });
  });
}

bool attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace) {
  const auto length = static_cast<size_t>(tensors.query.size(1)),
             dim = static_cast<size_t>(tensors.query.size(3));
  const at::Tensor scratch = thread_scratch(backward_scratch(length, dim), workspace);
  if (scratch.is_meta()) return true;
  const std::vector<BlockPairs> pairs = block_pairs(tensors);
  return with_element(tensors.query, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t key_heads = tensors.key.size(2), group = tensors.query.size(2) / key_heads;
    at::parallel_for(0, tensors.key.size(0) * key_heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const int64_t row = index / key_heads, head = index % key_heads;
        AttentionBackwardTask<T> task{
            task_of<T>(tensors, pairs, index), head_of<T>(out_gradient, row, head * group),
            head_of<T>(gradients.query, row, head * group), head_of<T>(gradients.key, row, head),
            head_of<T>(gradients.value, row, head)};
        task.forward.scratch = scratch_of_this_thread(scratch);
        call(task);
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
