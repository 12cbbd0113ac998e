#include "data/prefetch.h"

#include <algorithm>
#include <utility>

namespace galore {

PrefetchSource::PrefetchSource(std::unique_ptr<BatchSource> source, int64_t workers)
    : WrappedSource(std::move(source)), workers_(std::max<int64_t>(workers, 1)) {
  take_position();
  start();
}

PrefetchSource::~PrefetchSource() { stop(); }

void PrefetchSource::take_position() {
  position_ = source_->position();
  epochs_ = source_->epochs();
}

void PrefetchSource::start() {
  stopping_ = ended_ = false;
  planned_ = handed_out_ = 0;
  try {
    for (int64_t i = 0; i < workers_; ++i) threads_.emplace_back([this] { work(); });
  } catch (...) {
    stop();  // the started threads wait for this object
    throw;
  }
}

void PrefetchSource::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  items_.clear();
}

BatchSource::MakeBatch PrefetchSource::plan_next(int64_t& number, Item& item) {
  const std::lock_guard planning(planning_);
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || ended_ || planned_ - handed_out_ <= workers_; });
    if (stopping_ || ended_) return nullptr;
    number = planned_++;
  }
  MakeBatch make;
  try {
    make = source_->plan();
    item.position = source_->position();
    item.epochs = source_->epochs();
  } catch (...) {
    item.error = std::current_exception();
    make = nullptr;
  }
  const std::lock_guard lock(mutex_);
  ended_ = !make;
  return make;
}

void PrefetchSource::work() {
  for (bool more = true; more;) {
    int64_t number = -1;
    Item item;
    const MakeBatch make = plan_next(number, item);
    if (number < 0) return;
    try {
      if (make) item.batch = make();
    } catch (...) {
      item.error = std::current_exception();
    }
    more = item.batch.has_value();
    {
      const std::lock_guard lock(mutex_);
      ended_ = ended_ || !more;
      items_.emplace(number, std::move(item));
    }
    changed_.notify_all();
  }
}

BatchSource::MakeBatch PrefetchSource::plan() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return items_.contains(handed_out_); });
  // The end and an error stay in items_, so that asking again gives the same answer.
  const Item& next = items_.at(handed_out_);
  if (next.error) std::rethrow_exception(next.error);
  // At the end, too: the source may have passed over batches of other processes.
  position_ = next.position;
  epochs_ = next.epochs;
  if (!next.batch) return nullptr;
  const Item item = std::move(items_.extract(handed_out_++).mapped());
  lock.unlock();
  changed_.notify_all();
  return [batch = *item.batch] { return batch; };
}

std::optional<Batch> PrefetchSource::next() {
  const MakeBatch make = plan();
  return make ? std::optional<Batch>(make()) : std::nullopt;
}

// Batches beyond the end may have been made already.
void PrefetchSource::end_after(int64_t rows) {
  stop();
  source_->end_after(rows);
  source_->seek(position_);
  start();
}

void PrefetchSource::seek(const DataPosition& position) {
  stop();
  const DataPosition before = position_;
  try {
    source_->seek(position);
  } catch (...) {
    source_->seek(before);
    start();
    throw;
  }
  take_position();
  position_ = position;
  start();
}

}  // namespace galore
