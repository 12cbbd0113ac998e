// The micro-batches of one process of many. Every process plans all batches, so that its position is that of
// the whole run, and makes only its own.
#pragma once

#include <memory>

#include "core/update_share.h"
#include "data/wrapped_source.h"

namespace galore {

class RankSource : public WrappedSource {
 public:
  // The first batch of `source` after a seek() is the first micro-batch of an update.
  RankSource(std::unique_ptr<BatchSource> source, const UpdateShare& share);

  // After the last micro-batch of this process in an update, the position is the end of the update. At the
  // end of the data an update may have none for this process.
  MakeBatch plan() override;
  void seek(const DataPosition& position) override;

 private:
  // Plans batches of other processes until batch `number` of the update is the next one. Returns false at the
  // end of the data.
  bool skip_to(int64_t number);

  UpdateShare share_;
  int64_t next_ = 0;  // number of the next batch in its update
};

}  // namespace galore
