// Batches of another source, changed by a function after they are built.
#pragma once

#include <functional>
#include <memory>

#include "data/batch_source.h"

namespace galore {

// The function gets the position of the batch's first row in the data, so that a run that resumes there makes
// the same changes. Several threads may call it at once.
using ChangeBatch = std::function<void(Batch& batch, const DataPosition& first_row)>;

class ChangedBatches : public BatchSource {
 public:
  ChangedBatches(std::unique_ptr<BatchSource> source, ChangeBatch change)
      : source_(std::move(source)), change_(std::move(change)) {}

  MakeBatch plan() override {
    const DataPosition first = source_->position();
    MakeBatch make = source_->plan();
    if (!make) return nullptr;
    return [this, first, make = std::move(make)] {
      Batch batch = make();
      change_(batch, first);
      return batch;
    };
  }
  DataPosition position() const override { return source_->position(); }
  double epochs() const override { return source_->epochs(); }
  void seek(const DataPosition& position) override { source_->seek(position); }
  DataPosition start_of(int64_t epoch) const override { return source_->start_of(epoch); }
  DataFingerprint fingerprint() const override { return source_->fingerprint(); }
  int64_t rows_per_epoch() const override { return source_->rows_per_epoch(); }
  void end_after(int64_t rows) override { source_->end_after(rows); }
  std::optional<int64_t> last_row() const override { return source_->last_row(); }
  MixtureSource* mixture() override { return source_->mixture(); }

 private:
  std::unique_ptr<BatchSource> source_;
  ChangeBatch change_;
};

}  // namespace galore
