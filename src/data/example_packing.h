// Decides which examples share a row when examples are packed whole.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace galore {

// Packs by first fit with a bounded number of open rows: an example goes into the first open row with room
// for it. If there is none, a new row is opened, and if more than kOpenRows are open then, the oldest is
// closed. An example is therefore never cut in two, the examples of a row keep their order, and the result
// depends only on the lengths. (First fit: D. S. Johnson, "Near-optimal bin packing algorithms", MIT, 1973.)
//
// The packing takes 4 bytes per example and 4 bytes per row of memory.
class ExamplePacking {
 public:
  static constexpr size_t kOpenRows = 32;

  // `lengths` holds the lengths of the examples in the order of packing, each above 0. An example longer than
  // `max_length` takes a whole row.
  ExamplePacking(const std::vector<int32_t>& lengths, int64_t max_length);

  int64_t num_rows() const { return static_cast<int64_t>(begins_.size()) - 1; }
  // Returns the numbers of the examples in this row.
  std::span<const uint32_t> row(int64_t index) const;

 private:
  std::vector<uint32_t> begins_;    // the start of each row in examples_, and the end
  std::vector<uint32_t> examples_;  // row by row
};

}  // namespace galore
