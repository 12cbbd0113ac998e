// Decides when a basis is refreshed: every update_proj_gap updates, or less often if the basis hardly moves
// (lazy_schedule.h). Staggered refreshes of different bases fall on different updates.
#pragma once

#include <cstdint>
#include <optional>

#include "core/memory.h"
#include "core/state_visitor.h"
#include "optim/subspaces/subspace_options.h"

namespace galore {

class RefreshSchedule {
 public:
  // `rows` is the number of elements of a basis vector. It is 0 for a basis with vectors that do not move
  // gradually; such a basis is never refreshed lazily.
  RefreshSchedule(const SubspaceOptions& options, int64_t rows, Ledger& ledger);

  int64_t gap() const { return lazy_ ? lazy_->gap() : gap_; }
  // Returns true if the update after `updates` others is due for a refresh. A basis that no refresh has
  // established is always due.
  bool due(int64_t updates) const { return next_is_due_ ? *next_is_due_ : updates % gap() == phase_; }
  // Sets whether the next update begins with a refresh. The caller decides this after each update from now
  // on.
  void decide_next(bool due) { next_is_due_ = due; }
  // Sets the number k of this basis among `count`. Staggered refreshes are due k / count of a gap later.
  void stagger(int64_t k, int64_t count) {
    if (staggers_) phase_ = k * gap_ / count;
  }
  // Takes the first vector that a refresh has found.
  void observe(const at::Tensor& leading) {
    if (lazy_) lazy_->observe(leading);
  }
  void visit(StateVisitor& visitor) {
    if (lazy_) lazy_->visit(visitor);
  }

 private:
  int64_t gap_;
  bool staggers_;
  int64_t phase_ = 0;  // refreshes are due when the number of updates equals this modulo the gap
  std::optional<LazySchedule> lazy_;
  std::optional<bool> next_is_due_;
};

}  // namespace galore
