// Shuffles a stream of rows through a buffer of bounded size. It can resume at any row.
//
// The rows of an epoch form windows of `capacity` rows; the last window may have fewer. The rows of each
// window are handed out in the order of a keyed permutation. The slot of a row that was handed out takes the
// next row of the stream. The next window therefore fills while the current one empties, no more rows are in
// memory than a window has, and reading is steady. The start of the window determines everything else: a
// position is this start with the number of rows that were handed out, and the buffer itself is never saved.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/permutation.h"
#include "data/row_stream.h"

namespace galore {

class ShuffleBuffer {
 public:
  using Read = std::function<bool(StreamedRow&)>;  // reads the next row; returns false at the end

  // A capacity of 1 keeps the order.
  ShuffleBuffer(int64_t capacity, uint64_t seed, Read read);

  // Returns false if all rows were handed out.
  bool next(StreamedRow& row);
  // Skips the next `rows` rows.
  void skip(int64_t rows);

  // window() is the window of the last row that was handed out, and gone() is the number of its rows that
  // were handed out.
  const RowPlace& window() const { return windows_.front().begin; }
  int64_t gone() const { return windows_.empty() ? 0 : windows_.front().gone; }
  bool started() const { return !windows_.empty(); }
  // Returns the number of epochs that were handed out. Its fraction is the share of the current epoch.
  double epochs() const;
  // Returns the number of rows in memory.
  int64_t held() const { return static_cast<int64_t>(rows_.size() - free_.size()); }

 private:
  struct Window {
    RowPlace begin;
    double begin_share = 0, end_share = 0;
    std::vector<size_t> slots;
    int64_t gone = 0;
    bool closed = false;
    std::optional<Permutation> order;
  };

  void fill();
  void put(StreamedRow&& row);
  bool is_exhausted(const Window& window) const {
    return window.gone == static_cast<int64_t>(window.slots.size());
  }

  size_t capacity_;
  uint64_t seed_;
  Read read_;
  bool ended_ = false;
  std::deque<Window> windows_;
  std::vector<StreamedRow> rows_;
  std::vector<size_t> free_;
};

}  // namespace galore
