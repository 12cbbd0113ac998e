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

std::optional<TaskDropout> task_dropout(const AttentionTensors& t, const Segment& segment, int64_t head) {
  if (!t.dropout) return std::nullopt;
  const int64_t length = t.query.size(1), blocks = dropout_segments(length);
  const auto begin = static_cast<int64_t>(segment.ranges.offset);
  const int64_t query = ((t.first_row + segment.row) * t.query.size(2) + head) * length + begin;
  return TaskDropout{t.dropout->stream, dropout_scale(t.dropout->probability),
                     static_cast<uint64_t>(query * blocks + begin / kDropoutSegment),
                     static_cast<size_t>(length), static_cast<size_t>(blocks)};
}

namespace {

KeyRanges ranges_of_row(const AttentionTensors& t, int64_t row) {
  const int64_t length = t.query.size(1);
  const auto of_row = [&](const at::Tensor& bounds) {
    return bounds.defined() ? data<int32_t>(bounds) + row * length : nullptr;
  };
  return {of_row(t.first_key), of_row(t.end_key), static_cast<size_t>(length),
          static_cast<size_t>(t.window > 0 ? std::min(t.window, length) : length)};
}

// Without ranges of their own all rows are alike.
std::vector<Segment> whole_rows(const AttentionTensors& t) {
  const KeyRanges ranges = ranges_of_row(t, 0);
  const auto pairs = std::make_shared<const BlockPairs>(ranges);
  std::vector<Segment> segments;
  for (int64_t row = 0; row < t.query.size(0); ++row) segments.push_back({row, ranges, pairs});
  return segments;
}

}  // namespace

std::vector<Segment> segments_of(const AttentionTensors& t) {
  if (!t.first_key.defined()) return whole_rows(t);
  std::vector<Segment> segments;
  // The factors of dropout are drawn for blocks of keys that begin at multiples of a block.
  const size_t multiple = t.dropout ? kBlock : 1;
  for (int64_t row = 0; row < t.query.size(0); ++row) {
    const KeyRanges ranges = ranges_of_row(t, row);
    for (const Span& positions : independent_segments(ranges, multiple))
      segments.push_back({row, ranges.segment(positions), nullptr});
  }
  at::parallel_for(0, static_cast<int64_t>(segments.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Segment& segment = segments[static_cast<size_t>(i)];
      segment.pairs = std::make_shared<const BlockPairs>(segment.ranges);
    }
  });
  return segments;
}

}  // namespace galore::kernels::cpu
