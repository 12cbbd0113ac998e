#include "kernels/cpu/attention_tasks.h"

#include <ATen/Parallel.h>

namespace galore::kernels::cpu {

at::Tensor thread_scratch(size_t floats, Workspace& workspace) {
  return workspace.get(Owner::workspace, "attention.scratch",
                       {at::get_num_threads(), static_cast<int64_t>(floats)}, at::kFloat);
}

float* scratch_of_this_thread(const at::Tensor& scratch) {
  return data<float>(scratch) + at::get_thread_num() * scratch.size(1);
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

std::vector<BlockPairs> block_pairs(const AttentionTensors& t) {
  std::vector<BlockPairs> pairs;
  const int64_t entries = t.first_key.defined() ? t.query.size(0) : 1;
  for (int64_t row = 0; row < entries; ++row) pairs.emplace_back(ranges_of(t, row));
  return pairs;
}

}  // namespace galore::kernels::cpu
