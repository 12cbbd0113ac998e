// Makes batches on another thread, a few ahead of the consumer.
//
// position() is that of the last batch that was handed out, not of the last one that was made, so a resumed
// run sees exactly the batches that the interrupted one had not. What the source throws is thrown by next().
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "data/batch_source.h"

namespace galore {

class PrefetchSource : public BatchSource {
 public:
  // At most `depth` batches wait at a time (at least 1).
  explicit PrefetchSource(std::unique_ptr<BatchSource> source, size_t depth = 2);
  ~PrefetchSource() override;

  std::optional<Batch> next() override;
  DataPosition position() const override { return position_; }
  void seek(const DataPosition& position) override;
  int64_t rows_per_epoch() const override { return source_->rows_per_epoch(); }

 private:
  struct Item {
    std::optional<Batch> batch;  // none: the end
    DataPosition position;       // behind it
    std::exception_ptr error;
  };

  void start();
  void stop();
  void work();
  Item make() const;

  std::unique_ptr<BatchSource> source_;
  size_t depth_;
  DataPosition position_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace galore
