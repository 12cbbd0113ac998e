#include "data/rank_source.h"

#include <utility>

namespace galore {

RankSource::RankSource(std::unique_ptr<BatchSource> source, const UpdateShare& share)
    : WrappedSource(std::move(source)), share_(share) {}

bool RankSource::skip_to(int64_t number) {
  for (; next_ < number; ++next_)
    if (!source_->plan()) return false;
  return true;
}

BatchSource::MakeBatch RankSource::plan() {
  if (!skip_to(share_.first())) return nullptr;
  MakeBatch make = source_->plan();
  if (!make) return nullptr;
  if (++next_ == share_.end()) {
    skip_to(share_.micro_batches);
    next_ = 0;
  }
  return make;
}

void RankSource::seek(const DataPosition& position) {
  source_->seek(position);
  next_ = 0;
}

}  // namespace galore
