#include "train/movement_watch.h"

#include <ATen/ATen.h>
#include <fmt/core.h>

#include <algorithm>

namespace galore {
namespace {

// The standard deviation of a share of 4096 numbers is below 0.01.
constexpr int64_t kNumbers = 4096;

at::Tensor sample_of(const Parameter& matrix) {
  const at::Tensor all = matrix.value.detach().flatten();
  return all.slice(0, 0, all.numel(), std::max<int64_t>(1, all.numel() / kNumbers))
      .to(at::kCPU, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

// A weight in codes is rounded in its own way, and a lazily lifted one keeps its updates apart.
MovementWatch::MovementWatch(const ParameterList& parameters, int64_t first) : first_(first) {
  for (Parameter* parameter : parameters)
    if (parameter->trainable && !parameter->codes && !parameter->term && parameter->value.dim() == 2 &&
        parameter->value.scalar_type() == at::kBFloat16)
      matrices_.push_back(parameter);
}

void MovementWatch::before_update(int64_t step) {
  if (step != first_) return;
  for (const Parameter* matrix : matrices_) samples_.push_back({matrix, sample_of(*matrix)});
}

std::optional<std::string> MovementWatch::after_update(int64_t step) {
  if (samples_.empty() || step < first_ + kUpdates) return std::nullopt;
  double largest = 0;
  for (const Sample& sample : samples_) {
    const at::Tensor now = sample_of(*sample.parameter);
    const bool is_comparable = now.sizes() == sample.before.sizes();  // a layer may change its rank
    largest =
        std::max(largest, is_comparable ? now.ne(sample.before).to(at::kDouble).mean().item<double>() : 1.0);
  }
  samples_.clear();
  if (largest >= kShare) return std::nullopt;
  return fmt::format(
      "note: in {} updates at most {:.2f} % of the numbers of a matrix changed, because smaller changes are "
      "lost when "
      "bf16 weights are rounded to nearest; bf16_rounding=stochastic or master_weights=true keeps them",
      kUpdates, 100 * largest);
}

}  // namespace galore
