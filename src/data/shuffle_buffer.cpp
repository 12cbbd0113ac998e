#include "data/shuffle_buffer.h"

#include <cmath>
#include <utility>

#include "core/errors.h"

namespace galore {
namespace {

// Limits the windows in the buffer, so that short epochs do not fill it with many windows.
constexpr size_t kMostWindows = 3;

}  // namespace

ShuffleBuffer::ShuffleBuffer(int64_t capacity, uint64_t seed, Read read)
    : capacity_(static_cast<size_t>(capacity)), seed_(seed), read_(std::move(read)) {}

void ShuffleBuffer::put(StreamedRow&& row) {
  if (!windows_.empty()) {
    Window& last = windows_.back();
    const bool new_epoch = last.begin.document.epoch != row.place.document.epoch;
    if (new_epoch || last.closed) last.end_share = new_epoch ? 1 : row.share;
    last.closed = last.closed || new_epoch;
  }
  if (windows_.empty() || windows_.back().closed) {
    windows_.emplace_back();
    windows_.back().begin = row.place;
    windows_.back().begin_share = row.share;
  }
  if (free_.empty()) {
    free_.push_back(rows_.size());
    rows_.emplace_back();
  }
  Window& window = windows_.back();
  window.end_share = row.share;  // provisional until the start of the next window is known
  window.slots.push_back(free_.back());
  free_.pop_back();
  std::swap(rows_[window.slots.back()], row);
  window.closed = window.slots.size() == capacity_;
}

void ShuffleBuffer::fill() {
  const auto may_read = [this] {
    return !ended_ && held() < static_cast<int64_t>(capacity_) && windows_.size() < kMostWindows;
  };
  for (StreamedRow row; may_read();) {
    if (read_(row)) {
      put(std::move(row));
    } else {
      ended_ = true;
    }
  }
  if (ended_ && !windows_.empty()) windows_.back().closed = true;
}

bool ShuffleBuffer::next(StreamedRow& row) {
  const auto drop_exhausted = [this] {
    if (windows_.size() > 1 && is_exhausted(windows_.front())) windows_.pop_front();
  };
  drop_exhausted();
  fill();
  drop_exhausted();
  if (windows_.empty() || is_exhausted(windows_.front())) return false;
  Window& window = windows_.front();
  GALORE_ASSERT(window.closed);
  if (!window.order)
    window.order.emplace(window.slots.size(), seed_,
                         fmt::format("stream order {}", window.begin.document.epoch),
                         static_cast<uint64_t>(window.begin.row));
  const size_t slot = window.slots[(*window.order)(static_cast<uint64_t>(window.gone++))];
  std::swap(row, rows_[slot]);
  free_.push_back(slot);
  return true;
}

void ShuffleBuffer::skip(int64_t rows) {
  StreamedRow row;
  for (int64_t i = 0; i < rows; ++i)
    if (!next(row)) fail("data", "the saved position is behind the end of the data: they have changed");
}

double ShuffleBuffer::epochs() const {
  if (windows_.empty()) return 0;
  const Window& window = windows_.front();
  const double done = static_cast<double>(window.gone) / static_cast<double>(window.slots.size());
  return static_cast<double>(window.begin.document.epoch) +
         std::lerp(window.begin_share, window.end_share, done);
}

}  // namespace galore
