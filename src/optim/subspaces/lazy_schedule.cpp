#include "optim/subspaces/lazy_schedule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace galore {
namespace {

constexpr double kLargestGap = 1e15;  // the largest value of update_proj_gap

}  // namespace

void declare_options(OptionTable& table, LazyOptions& options) {
  table
      .add("cos_threshold", &options.cos_threshold,
           "refresh a basis less often from this mean |cosine| of its successive first vectors on; 0: never")
      .range(0, 1)
      .origin("Q-GaLore's code");
  table
      .add("gamma_proj", &options.gamma_proj,
           "factor on the gap between refreshes when cos_threshold is reached")
      .range(1, 1e6)
      .origin("Q-GaLore's code");
  table.add("queue_size", &options.queue_size, "number of refreshes in the mean cosine")
      .range(1, 1000)
      .origin("Q-GaLore's code");
}

LazySchedule::LazySchedule(const LazyOptions& options, int64_t gap, int64_t rows, Ledger& ledger)
    : options_(options),
      gap_(gap),
      previous_(ledger.zeros(Owner::bases, {rows}, at::kFloat)),
      cosines_(static_cast<size_t>(options.queue_size)) {}

void LazySchedule::observe(const at::Tensor& first_vector) {
  if (first_vector.is_meta()) return;
  if (seen_++ > 0) {
    std::rotate(cosines_.begin(), cosines_.begin() + 1, cosines_.end());
    cosines_.back() = std::abs(at::dot(previous_, first_vector.contiguous()).item<double>());
    const double mean =
        std::accumulate(cosines_.begin(), cosines_.end(), 0.0) / static_cast<double>(cosines_.size());
    if (seen_ > options_.queue_size && mean >= options_.cos_threshold)
      gap_ = static_cast<int64_t>(std::min(kLargestGap, options_.gamma_proj * static_cast<double>(gap_)));
  }
  previous_.copy_(first_vector);
}

void LazySchedule::visit(StateVisitor& visitor) {
  visitor.scalar("lazy_gap", gap_);
  visitor.scalar("lazy_refreshes", seen_);
  visitor.tensor("lazy_direction", previous_);
  for (size_t i = 0; i < cosines_.size(); ++i)
    visitor.scalar("lazy_cosine_" + std::to_string(i), cosines_[i]);
}

}  // namespace galore
