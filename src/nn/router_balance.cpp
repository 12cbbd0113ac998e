#include "nn/router_balance.h"

#include <ATen/ATen.h>

namespace galore {

RouterBalance::RouterBalance(int64_t experts)
    : counts_(at::zeros({experts}, at::kDouble)), probabilities_(at::zeros({experts}, at::kDouble)) {}

void RouterBalance::begin() {
  counts_.zero_();
  probabilities_.zero_();
  rows_ = 0;
}

void RouterBalance::add(const at::Tensor& probabilities, const at::Tensor& counts) {
  counts_.add_(counts);
  probabilities_.add_(probabilities.sum(0).cpu());
  rows_ += probabilities.size(0);
}

double RouterBalance::loss() const {
  if (rows_ == 0) return 0;
  const auto rows = static_cast<double>(rows_), experts = static_cast<double>(counts_.numel());
  return experts * (counts_ / rows * (probabilities_ / rows)).sum().item<double>();
}

at::Tensor RouterBalance::probability_gradient() const {
  const auto rows = static_cast<double>(rows_), experts = static_cast<double>(counts_.numel());
  return (counts_ * (scale_ * experts / rows / rows)).to(at::kFloat);
}

}  // namespace galore
