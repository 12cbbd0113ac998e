// Updates that end with their epoch, as in transformers' Trainer, for runs whose length is a number of
// epochs.
#pragma once

#include <memory>
#include <utility>

#include "data/wrapped_source.h"

namespace galore {

// After end_after() the wrapped source cuts the batch that has an epoch's last rows. The micro-batches that
// the update of this batch lacks are handed out as batches without ids, so each update takes the same number
// of plans, and the next epoch begins with an update of its own. Before end_after() nothing is changed.
class EpochUpdates : public WrappedSource {
 public:
  // The first batch of `source` after a seek() is the first of an update's micro-batches.
  EpochUpdates(std::unique_ptr<BatchSource> source, int64_t micro_batches)
      : WrappedSource(std::move(source)), micro_batches_(micro_batches) {}

  MakeBatch plan() override {
    if (!ends_) return source_->plan();
    if (lacking_ > 0) {
      --lacking_;
      return [] { return Batch(); };
    }
    const int64_t epoch = source_->position().epoch;
    MakeBatch make = source_->plan();
    next_ = (next_ + 1) % micro_batches_;
    if (source_->position().epoch != epoch && next_ != 0) lacking_ = micro_batches_ - std::exchange(next_, 0);
    return make;
  }
  void end_after(int64_t rows) override {
    source_->end_after(rows);
    ends_ = true;
  }
  void seek(const DataPosition& position) override {
    source_->seek(position);
    next_ = lacking_ = 0;
  }

 private:
  int64_t micro_batches_;
  bool ends_ = false;
  int64_t next_ = 0;     // number of the next micro-batch in its update
  int64_t lacking_ = 0;  // batches without ids that are still to be handed out
};

}  // namespace galore
