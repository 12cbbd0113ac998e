#include "data/row_sharing.h"

#include <algorithm>
#include <numeric>

namespace galore {
namespace {

int64_t length_of_example(const ExampleRow& example) { return std::ssize(example.ids); }

int64_t rounded_length(int64_t length, int64_t multiple) {
  return (length + multiple - 1) / multiple * multiple;
}

// The numbers of the examples of each row.
struct Assignment {
  std::vector<std::vector<size_t>> rows;
  int64_t longest = 0;
};

// `order` holds the examples by falling length.
Assignment assign_rows(const std::vector<ExampleRow>& examples, const std::vector<size_t>& order,
                       int64_t count) {
  Assignment made{std::vector<std::vector<size_t>>(static_cast<size_t>(count))};
  std::vector<int64_t> lengths(static_cast<size_t>(count));
  for (const size_t example : order) {
    const auto shortest = std::min_element(lengths.begin(), lengths.end());
    *shortest += length_of_example(examples[example]);
    made.rows[static_cast<size_t>(shortest - lengths.begin())].push_back(example);
  }
  made.longest = *std::max_element(lengths.begin(), lengths.end());
  return made;
}

template <typename Number>
void append_all(std::vector<Number>& to, const std::vector<Number>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

void add_example(ExampleRow& row, const ExampleRow& example) {
  const int64_t before = length_of_example(row), after = before + length_of_example(example);
  if (!example.types.empty()) row.types.resize(static_cast<size_t>(before));
  append_all(row.ids, example.ids);
  append_all(row.labels, example.labels);
  append_all(row.types, example.types);
  if (!row.types.empty()) row.types.resize(row.ids.size());
  for (const int64_t end : example.ends) row.ends.push_back(before + end);
  if (example.ends.empty()) row.ends.push_back(after);
  for (const int64_t place : example.places) row.places.push_back(before + place);
  append_all(row.values, example.values);
  append_all(row.actions, example.actions);
  append_all(row.transitions, example.transitions);
  row.num_targets += example.num_targets;
  row.num_clipped += example.num_clipped;
}

std::vector<ExampleRow> join_examples(const std::vector<ExampleRow>& examples, Assignment assignment) {
  std::vector<ExampleRow> rows;
  for (std::vector<size_t>& numbers : assignment.rows) {
    std::sort(numbers.begin(), numbers.end());
    for (ExampleRow& row = rows.emplace_back(); const size_t number : numbers)
      add_example(row, examples[number]);
  }
  return rows;
}

}  // namespace

std::vector<ExampleRow> share_rows(const std::vector<ExampleRow>& examples, int64_t max_length,
                                   int64_t multiple) {
  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return length_of_example(examples[a]) > length_of_example(examples[b]);
  });
  const int64_t count = std::ssize(examples), longest = length_of_example(examples[order.front()]);
  const int64_t padded = count * longest, most = std::max(longest, max_length);
  int64_t total = 0;
  for (const ExampleRow& example : examples) total += length_of_example(example);
  for (int64_t rows = (total + most - 1) / most; rows < count; ++rows) {
    Assignment assignment = assign_rows(examples, order, rows);
    if (assignment.longest > most) continue;
    const bool is_smaller = rows * std::min(rounded_length(assignment.longest, multiple), most) < padded;
    return is_smaller ? join_examples(examples, std::move(assignment)) : examples;
  }
  return examples;
}

}  // namespace galore
