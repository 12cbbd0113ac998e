// Shuffles a stream of rows through a buffer of bounded size. It can resume at any row.
//
// The rows of an epoch form windows of `capacity` rows (the last one of fewer), each handed out in the order
// of a keyed permutation. The slot of a row that was handed out takes the next row of the stream. So the next
// window fills while the current one empties, no more rows are in memory than a window has, and reading is
// steady. The begin of the window decides everything else: a position is that begin with the number of rows
// that were handed out, and the buffer itself is never saved.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "data/permutation.h"
#include "data/row_stream.h"

namespace galore {

class ShuffleBuffer {
 public:
  using Read = std::function<bool(StreamedRow&)>;  // the next row; false at the end

  // Capacity 1 keeps the order.
  ShuffleBuffer(int64_t capacity, uint64_t seed, Read read);

  // False if all rows were handed out.
  bool next(StreamedRow& row);
  // Leaves out the next `rows` rows.
  void skip(int64_t rows);

  // The window of the row that was handed out last, and the number of the window's rows that were handed out.
  const RowPlace& window() const { return windows_.front().begin; }
  int64_t gone() const { return windows_.empty() ? 0 : windows_.front().gone; }
  bool started() const { return !windows_.empty(); }
  // The number of epochs that were handed out; its fraction is the share of the current epoch.
  double epochs() const;
  // Rows in memory.
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
