// The micro-batches of one process of many. Every process plans all batches, so that its position is that of
// the whole run, and makes only its own.
#pragma once

#include <memory>

#include "core/update_share.h"
#include "data/batch_source.h"

namespace galore {

class RankSource : public BatchSource {
 public:
  // The first batch of `source` after a seek() is the first micro-batch of an update.
  RankSource(std::unique_ptr<BatchSource> source, const UpdateShare& share);

  // After the last micro-batch of this process in an update, the position is the end of the update. At the
  // end of the data an update may have none for this process.
  MakeBatch plan() override;
  DataPosition position() const override { return source_->position(); }
  double epochs() const override { return source_->epochs(); }
  void seek(const DataPosition& position) override;
  DataPosition start_of(int64_t epoch) const override { return source_->start_of(epoch); }
  DataFingerprint fingerprint() const override { return source_->fingerprint(); }
  int64_t rows_per_epoch() const override { return source_->rows_per_epoch(); }
  void end_after(int64_t rows) override { source_->end_after(rows); }
  std::optional<int64_t> last_row() const override { return source_->last_row(); }
  MixtureSource* mixture() override { return source_->mixture(); }

 private:
  // Plans batches of other processes until batch `number` of the update is the next one. Returns false at the
  // end of the data.
  bool skip_to(int64_t number);

  std::unique_ptr<BatchSource> source_;
  UpdateShare share_;
  int64_t next_ = 0;  // number of the next batch in its update
};

}  // namespace galore
