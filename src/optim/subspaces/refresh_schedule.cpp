#include "optim/subspaces/refresh_schedule.h"

namespace galore {

RefreshSchedule::RefreshSchedule(const SubspaceOptions& options, int64_t rows, Ledger& ledger)
    : gap_(options.update_proj_gap), staggers_(options.staggered()) {
  if (options.lazy.cos_threshold > 0 && rows > 0) lazy_.emplace(options.lazy, gap_, rows, ledger);
}

}  // namespace galore
