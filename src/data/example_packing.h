// Decides which examples share a row when examples are packed whole.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace galore {

// First fit with a bounded number of open rows: an example goes into the first open row with room for it. If
// there is none, a new row is opened, and the oldest open row is closed when more than kOpenRows are open. So
// an example is never cut in two, the examples of a row keep their order, and the result depends on nothing
// but the lengths. (First fit: D. S. Johnson, "Near-optimal bin packing algorithms", MIT, 1973.)
//
// Takes 4 bytes an example and 4 bytes a row of memory.
class ExamplePacking {
 public:
  static constexpr size_t kOpenRows = 32;

  // The lengths of the examples in the order in which they are packed, each above 0. An example longer than
  // `max_length` takes a whole row.
  ExamplePacking(const std::vector<int32_t>& lengths, int64_t max_length);

  int64_t num_rows() const { return static_cast<int64_t>(begins_.size()) - 1; }
  // The numbers of the examples in this row.
  std::span<const uint32_t> row(int64_t index) const;

 private:
  std::vector<uint32_t> begins_;    // of each row in examples_, and the end
  std::vector<uint32_t> examples_;  // row by row
};

}  // namespace galore
