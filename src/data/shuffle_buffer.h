// Shuffles a stream of rows through a buffer of bounded size, and can go on from anywhere in it.
//
// The rows of an epoch form windows of `capacity` rows (the last one of fewer), each handed out in the order
// of a keyed permutation. The place of a row that was handed out takes the next row of the stream, so that
// while one window empties the next one fills: as many rows are in memory as a window has, and reading is
// steady. All of that follows from where the window begins: a position is that place and how many of its rows
// are gone, and nothing of the buffer needs saving.
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

  // False when all rows are handed out.
  bool next(StreamedRow& row);
  // Hands out so many rows to nobody.
  void skip(int64_t rows);

  // Of the row that was handed out last: its window, and that window's rows that are gone.
  const RowPlace& window() const { return windows_.front().begin; }
  int64_t gone() const { return windows_.empty() ? 0 : windows_.front().gone; }
  bool started() const { return !windows_.empty(); }
  // Epochs that have been handed out, with the share of the one at hand.
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
