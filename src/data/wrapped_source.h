// The base of sources that change what another source does.
#pragma once

#include <memory>
#include <utility>

#include "data/batch_source.h"

namespace galore {

// Passes all calls but plan() on; a subclass overrides those that it changes.
class WrappedSource : public BatchSource {
 public:
  explicit WrappedSource(std::unique_ptr<BatchSource> source) : source_(std::move(source)) {}

  DataPosition position() const override { return source_->position(); }
  double epochs() const override { return source_->epochs(); }
  void seek(const DataPosition& position) override { source_->seek(position); }
  DataPosition start_of(int64_t epoch) const override { return source_->start_of(epoch); }
  DataFingerprint fingerprint() const override { return source_->fingerprint(); }
  int64_t rows_per_epoch() const override { return source_->rows_per_epoch(); }
  void end_after(int64_t rows) override { source_->end_after(rows); }
  std::optional<int64_t> last_row() const override { return source_->last_row(); }
  MixtureSource* mixture() override { return source_->mixture(); }

 protected:
  std::unique_ptr<BatchSource> source_;
};

}  // namespace galore
