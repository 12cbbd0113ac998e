// Decides by the norm of the low-rank gradient when a basis is used up (AdaRankGrad, arXiv 2410.17881).
#pragma once

#include <cstdint>

#include "core/state_visitor.h"

namespace galore {

class RefreshCriterion {
 public:
  struct Limits {
    double share;              // a basis is used up at this share of the norm at its refresh
    int64_t min_gap, max_gap;  // least and largest number of updates between two refreshes
  };
  explicit RefreshCriterion(const Limits& limits) : limits_(limits) {}

  // Takes the norm of an update's low-rank gradient. `refreshed` says that the update began with a refresh.
  void add(double norm, bool refreshed) {
    last_norm_ = norm;
    since_ = refreshed ? 1 : since_ + 1;
    if (refreshed) refreshed_norm_ = last_norm_;
  }
  bool has_begun() const { return since_ > 0; }
  bool next_is_due() const {
    const bool used_up = last_norm_ <= limits_.share * refreshed_norm_;
    return since_ >= limits_.max_gap || (since_ >= limits_.min_gap && used_up);
  }
  void visit(StateVisitor& visitor) {
    visitor.scalar("since_refresh", since_);
    visitor.scalar("refreshed_norm", refreshed_norm_);
    visitor.scalar("last_norm", last_norm_);
  }

 private:
  Limits limits_;
  int64_t since_ = 0;  // updates since the last refresh, including the update of the refresh
  double refreshed_norm_ = 0, last_norm_ = 0;
};

}  // namespace galore
