// Makes batches on other threads, a few ahead of the consumer, in the order of the source.
//
// position() is the place after the last batch that was handed out, not after the last one that was made. A
// resumed run therefore sees exactly the batches that the interrupted run had not seen. next() rethrows
// exceptions of the source.
#pragma once

#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "data/wrapped_source.h"

namespace galore {

class PrefetchSource : public WrappedSource {
 public:
  // At most workers + 1 (with at least 1 worker) batches wait at a time.
  explicit PrefetchSource(std::unique_ptr<BatchSource> source, int64_t workers = 1);
  ~PrefetchSource() override;

  MakeBatch plan() override;
  // An Error does not restore the position, because that would end the threads.
  std::optional<Batch> next() override;
  DataPosition position() const override { return position_; }
  double epochs() const override { return epochs_; }
  void seek(const DataPosition& position) override;
  void end_after(int64_t rows) override;

 private:
  struct Item {
    std::optional<Batch> batch;  // none: the end of the data
    DataPosition position;       // the place after the batch
    double epochs = 0;
    std::exception_ptr error;
  };

  void start();
  void stop();
  void work();
  // Sets the number of the next batch and returns the function that makes it. Returns null at the end, and if
  // an error was stored in `item`.
  MakeBatch plan_next(int64_t& number, Item& item);
  void take_position();

  int64_t workers_;
  DataPosition position_;
  double epochs_ = 0;

  std::mutex planning_;  // locked before mutex_; one thread at a time asks the source
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, Item> items_;
  int64_t planned_ = 0, handed_out_ = 0;
  bool ended_ = false, stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace galore
