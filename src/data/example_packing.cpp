#include "data/example_packing.h"

#include <algorithm>
#include <utility>

#include "core/errors.h"

namespace galore {
namespace {

// Assigns a row number to one example after the other.
class OpenRows {
 public:
  explicit OpenRows(int64_t max_length) : max_length_(max_length) {}

  uint32_t place(int64_t length) {
    const auto fitting =
        std::find_if(open_.begin(), open_.end(), [length](const OpenRow& row) { return row.room >= length; });
    if (fitting == open_.end()) return open(length);
    const uint32_t number = fitting->number;
    fitting->room -= length;
    if (fitting->room == 0) open_.erase(fitting);
    return number;
  }

 private:
  struct OpenRow {
    uint32_t number;
    int64_t room;
  };

  uint32_t open(int64_t length) {
    if (length < max_length_) open_.push_back({count_, max_length_ - length});
    if (open_.size() > ExamplePacking::kOpenRows) open_.erase(open_.begin());
    return count_++;
  }

  int64_t max_length_;
  uint32_t count_ = 0;
  std::vector<OpenRow> open_;  // in the order of their opening
};

}  // namespace

ExamplePacking::ExamplePacking(const std::vector<int32_t>& lengths, int64_t max_length) {
  GALORE_ASSERT(lengths.size() <= UINT32_MAX);
  OpenRows open(max_length);
  std::vector<uint32_t> row_of(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) {
    GALORE_ASSERT(lengths[i] > 0);
    row_of[i] = open.place(std::min<int64_t>(lengths[i], max_length));
    if (row_of[i] == begins_.size()) begins_.push_back(0);
    ++begins_[row_of[i]];
  }
  // This is a counting sort of the examples by their row.
  uint32_t begin = 0;
  for (uint32_t& count : begins_) begin += std::exchange(count, begin);
  begins_.push_back(begin);
  std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
  examples_.resize(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) examples_[next[row_of[i]]++] = static_cast<uint32_t>(i);
}

std::span<const uint32_t> ExamplePacking::row(int64_t index) const {
  GALORE_ASSERT(index >= 0 && index < num_rows());
  const auto row = static_cast<size_t>(index);
  return std::span(examples_).subspan(begins_[row], begins_[row + 1] - begins_[row]);
}

}  // namespace galore
