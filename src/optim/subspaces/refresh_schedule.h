// When a basis is refreshed: every update_proj_gap updates, more rarely where it hardly moves
// (lazy_schedule.h), and where refreshes are staggered at another update than other bases.
#pragma once

#include <cstdint>
#include <optional>

#include "core/memory.h"
#include "core/state_visitor.h"
#include "optim/subspaces/subspace_options.h"

namespace galore {

class RefreshSchedule {
 public:
  // `rows`: elements of a basis vector; 0 for a basis whose vectors do not move little by little, and which
  // is never refreshed lazily.
  RefreshSchedule(const SubspaceOptions& options, int64_t rows, Ledger& ledger);

  int64_t gap() const { return lazy_ ? lazy_->gap() : gap_; }
  // Whether the update that follows `updates` others is due for a refresh. A basis that no refresh has
  // established is due in any case.
  bool due(int64_t updates) const { return next_is_due_ ? *next_is_due_ : updates % gap() == phase_; }
  // From now on the caller decides after each update whether the next one begins with a refresh.
  void decide_next(bool due) { next_is_due_ = due; }
  // This is basis number k of `count`: staggered refreshes are due k / count of a gap later.
  void stagger(int64_t k, int64_t count) {
    if (staggers_) phase_ = k * gap_ / count;
  }
  // The first vector that a refresh found.
  void observe(const at::Tensor& leading) {
    if (lazy_) lazy_->observe(leading);
  }
  void visit(StateVisitor& visitor) {
    if (lazy_) lazy_->visit(visitor);
  }

 private:
  int64_t gap_;
  bool staggers_;
  int64_t phase_ = 0;  // refreshes are due when the number of updates is this, modulo the gap
  std::optional<LazySchedule> lazy_;
  std::optional<bool> next_is_due_;
};

}  // namespace galore
