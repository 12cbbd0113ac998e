#include "data/prefetch.h"

#include <algorithm>

namespace galore {

PrefetchSource::PrefetchSource(std::unique_ptr<BatchSource> source, size_t depth)
    : source_(std::move(source)), depth_(std::max<size_t>(depth, 1)), position_(source_->position()) {
  start();
}

PrefetchSource::~PrefetchSource() { stop(); }

void PrefetchSource::start() {
  stopping_ = false;
  worker_ = std::thread([this] { work(); });
}

void PrefetchSource::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  worker_.join();
  items_.clear();
}

PrefetchSource::Item PrefetchSource::make() const {
  Item item;
  try {
    item.batch = source_->next();
    item.position = source_->position();
  } catch (...) {
    item.error = std::current_exception();
  }
  return item;
}

void PrefetchSource::work() {
  for (bool more = true; more;) {
    Item item = make();
    more = item.batch.has_value();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || items_.size() < depth_; });
    if (stopping_) return;
    items_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
  }
}

std::optional<Batch> PrefetchSource::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !items_.empty(); });
  // The end and an error stay in the queue: asking again gives the same answer.
  if (items_.front().error) std::rethrow_exception(items_.front().error);
  if (!items_.front().batch) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  position_ = item.position;
  lock.unlock();
  changed_.notify_all();
  return std::move(item.batch);
}

void PrefetchSource::seek(const DataPosition& position) {
  stop();
  const DataPosition before = position_;
  try {
    source_->seek(position);
    position_ = position;
  } catch (...) {
    source_->seek(before);
    start();
    throw;
  }
  start();
}

}  // namespace galore
