// Batches of another source, changed by a function after they are built.
#pragma once

#include <functional>
#include <memory>

#include "data/wrapped_source.h"

namespace galore {

// The function gets the position of the batch's first row in the data, so that a run that resumes there makes
// the same changes. Several threads may call it at once.
using ChangeBatch = std::function<void(Batch& batch, const DataPosition& first_row)>;

class ChangedBatches : public WrappedSource {
 public:
  ChangedBatches(std::unique_ptr<BatchSource> source, ChangeBatch change)
      : WrappedSource(std::move(source)), change_(std::move(change)) {}

  MakeBatch plan() override {
    const DataPosition first = source_->position();
    MakeBatch make = source_->plan();
    if (!make) return nullptr;
    return [this, first, make = std::move(make)] {
      Batch batch = make();
      if (!batch.empty()) change_(batch, first);
      return batch;
    };
  }

 private:
  ChangeBatch change_;
};

}  // namespace galore
