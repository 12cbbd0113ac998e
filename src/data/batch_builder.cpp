#include "data/batch_builder.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.h"
#include "core/labels.h"

namespace galore {
namespace {

// Rows without values are all padding.
at::Tensor padded(const std::vector<ExampleRow>& rows, std::vector<int64_t> ExampleRow::*values,
                  int64_t length, int64_t padding) {
  const at::Tensor tensor = at::empty({static_cast<int64_t>(rows.size()), length}, at::kLong);
  int64_t* out = tensor.mutable_data_ptr<int64_t>();
  for (const ExampleRow& row : rows) {
    std::fill(std::copy((row.*values).begin(), (row.*values).end(), out), out + length, padding);
    out += length;
  }
  return tensor;
}

void fill_ranges(Batch& batch, const ExampleEnds& ends, bool bidirectional) {
  const int64_t length = batch.length();
  batch.positions = at::empty(batch.ids.sizes(), at::kLong);
  batch.first_key = at::empty(batch.ids.sizes(), at::kInt);
  batch.end_key = at::empty(batch.ids.sizes(), at::kInt);
  int64_t* position = batch.positions.mutable_data_ptr<int64_t>();
  int32_t* first = batch.first_key.mutable_data_ptr<int32_t>();
  int32_t* end = batch.end_key.mutable_data_ptr<int32_t>();
  for (const std::vector<int64_t>& row : ends) {
    int64_t begin = 0;
    size_t example = 0;
    for (int64_t t = 0; t < length; ++t) {
      while (example < row.size() && t >= row[example]) begin = row[example++];
      const bool is_padding = example == row.size();
      if (is_padding) begin = t;
      *position++ = t - begin;
      *first++ = static_cast<int32_t>(begin);
      *end++ = static_cast<int32_t>(is_padding || !bidirectional ? t + 1 : row[example]);
    }
  }
}

int64_t padded_length(int64_t longest, const RowPadding& padding) {
  const int64_t length = std::max(longest, padding.min_length);
  const int64_t rounded = (length + padding.multiple - 1) / padding.multiple * padding.multiple;
  return std::max(length, std::min(rounded, padding.max_length));
}

}  // namespace

// The first token of an example is not the target of the example before it.
Targets next_token_targets(const ExampleRows& rows) {
  const at::Tensor labels = rows.labels.clone();
  int64_t* label = labels.mutable_data_ptr<int64_t>();
  const int64_t length = labels.size(1);
  for (const std::vector<int64_t>& ends : rows.ends) {
    for (const int64_t end : ends)
      if (end < length) label[end] = kIgnoredLabel;
    label += length;
  }
  return next_token_targets(labels);
}

namespace {

template <typename Number>
std::vector<Number> joined(const std::vector<std::vector<Number>>& rows) {
  std::vector<Number> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// Places without a target hold NaN as their number or reward.
int64_t count_of_numbers(const at::Tensor& rows) {
  return rows.select(1, 0).isnan().logical_not().sum().item<int64_t>();
}

// Adds actions and transitions, which all rows have or none.
void add_transitions(Targets& targets, const ExampleRows& rows) {
  const std::vector<double> transitions = joined(rows.transitions);
  const std::vector<int64_t> actions = joined(rows.actions);
  const int64_t places = targets.places.numel();
  if (!actions.empty()) targets.actions = at::tensor(actions, at::kLong);
  if (!transitions.empty()) {
    if (static_cast<int64_t>(transitions.size()) != 3 * places)
      fail("data", "expected a transition for every place, given {} for {}", transitions.size() / 3, places);
    targets.transitions = at::tensor(transitions, at::kDouble).view({-1, 3});
  }
  targets.count = count_of_numbers(transitions.empty() ? targets.values : targets.transitions);
}

}  // namespace

Targets score_targets(const ExampleRows& rows, const BackupRule& backup) {
  std::vector<int64_t> places;
  std::vector<double> values;
  bool has_pairs = false, has_values = false;
  for (size_t i = 0; i < rows.places.size(); ++i) {
    const int64_t first = static_cast<int64_t>(i) * rows.ids.size(1);
    for (const int64_t place : rows.places[i]) places.push_back(first + place);
    values.insert(values.end(), rows.values[i].begin(), rows.values[i].end());
    (rows.values[i].empty() ? has_pairs : has_values) |= !rows.places[i].empty();
  }
  const size_t count = places.size();
  if (has_pairs && has_values) fail("data", "expected pairs in every row or in none");
  if (count > 0 && values.size() % count != 0)
    fail("data", "expected as many numbers for each target, given {} for {} targets", values.size(), count);
  Targets targets;
  targets.pairs = has_pairs;
  targets.count = static_cast<int64_t>(has_pairs ? count / 2 : count);
  targets.places = at::tensor(places, at::kLong);
  const auto width = static_cast<int64_t>(count > 0 ? values.size() / count : 1);
  targets.values = at::tensor(values, at::kDouble).view({-1, std::max<int64_t>(1, width)});
  targets.backup = backup;
  if (!has_pairs) add_transitions(targets, rows);
  return targets;
}

Batch build_batch(const std::vector<ExampleRow>& rows, const RowPadding& padding,
                  const MakeTargets& make_targets) {
  int64_t longest = 0;
  bool holds_several = false, has_types = false;
  ExampleRows examples;
  for (const ExampleRow& row : rows) {
    GALORE_ASSERT(!row.ids.empty() && (row.labels.empty() || row.labels.size() == row.ids.size()));
    longest = std::max(longest, static_cast<int64_t>(row.ids.size()));
    holds_several = holds_several || row.ends.size() > 1;
    has_types = has_types || !row.types.empty();
    examples.ends.push_back(row.ends);
    examples.places.push_back(row.places);
    examples.values.push_back(row.values);
    examples.actions.push_back(row.actions);
    examples.transitions.push_back(row.transitions);
    if (row.ends.empty()) examples.ends.back().push_back(static_cast<int64_t>(row.ids.size()));
  }
  const int64_t length = padded_length(longest, padding);
  examples.ids = padded(rows, &ExampleRow::ids, length, padding.id);
  examples.labels = padded(rows, &ExampleRow::labels, length, kIgnoredLabel);
  Batch batch;
  batch.ids = examples.ids;
  if (has_types) batch.token_types = padded(rows, &ExampleRow::types, length, 0);
  if (holds_several || padding.bidirectional) fill_ranges(batch, examples.ends, padding.bidirectional);
  // Models count the positions of one example themselves.
  if (!holds_several) batch.positions.reset();
  batch.targets = make_targets ? make_targets(examples) : next_token_targets(examples);
  return batch;
}

}  // namespace galore
