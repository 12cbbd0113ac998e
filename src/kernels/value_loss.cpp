#include "kernels/value_loss.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

void check_value_rows(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                      const ValueSupport& support) {
  GALORE_ASSERT(logits.dim() == 2 && logits.is_contiguous() && logits.scalar_type() == at::kFloat);
  GALORE_ASSERT(logits.size(1) == support.num_outputs() && support.loss != ValueLoss::bradley_terry);
  GALORE_ASSERT(targets.dim() == 2 && targets.is_contiguous() && targets.scalar_type() == at::kDouble);
  GALORE_ASSERT(targets.size(0) == logits.size(0) && targets.size(1) >= 1);
  GALORE_ASSERT(targets.size(1) == 1 || support.loss == ValueLoss::quantile ||
                (support.is_categorical() && targets.size(1) == logits.size(1)));
  for (const at::Tensor* numbers : {&out.losses, &out.entropies}) {
    GALORE_ASSERT(numbers->numel() == logits.size(0) && numbers->scalar_type() == at::kDouble);
    GALORE_ASSERT(numbers->is_contiguous());
  }
}

at::Tensor indices_like(const at::Tensor& numbers, int64_t count) {
  return at::arange(count, numbers.options());
}

// Returns losses (N) and gradients (N x m) of targets (N x k).
std::pair<at::Tensor, at::Tensor> quantile_losses(const at::Tensor& outputs, const at::Tensor& targets,
                                                  const ValueSupport& support) {
  const at::Tensor share = (indices_like(outputs, outputs.size(1)) + 0.5) / outputs.size(1);
  const at::Tensor difference = targets.unsqueeze(1) - outputs.unsqueeze(2);  // N x m x k
  const at::Tensor weight = (share.view({1, -1, 1}) - difference.lt(0).to(at::kDouble)).abs();
  const at::Tensor inner = difference.clamp(-support.kappa, support.kappa);
  const at::Tensor loss = weight * inner * (difference - inner / 2) / support.kappa;
  return {loss.mean(2).sum(1), -(weight * inner / support.kappa).mean(2)};
}

const kernels::Operation<decltype(value_loss)> kValueLoss("value_loss", {.cpu = kernels::cpu::value_loss,
                                                                         .composed = reference::value_loss});

}  // namespace

void value_loss(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                const ValueSupport& support, std::optional<double> gradient_scale) {
  check_value_rows(out, logits, targets, support);
  kValueLoss(logits, out, logits, targets, support, gradient_scale);
}

at::Tensor locations_beside(const at::Tensor& outputs, const ValueSupport& support) {
  return at::tensor(locations(support), outputs.options().dtype(at::kFloat));
}

at::Tensor target_distributions(const ValueSupport& support, const at::Tensor& numbers) {
  GALORE_ASSERT(support.is_categorical() && numbers.scalar_type() == at::kDouble);
  const auto bins = static_cast<double>(support.num_bins);
  const at::Tensor inside = numbers.clamp(support.v_min, support.v_max).unsqueeze(1);
  if (support.loss != ValueLoss::hl_gauss) {
    const at::Tensor place = (inside - support.v_min) * ((bins - 1) / (support.v_max - support.v_min));
    return (1 - (place - indices_like(place, support.num_bins)).abs()).clamp_min(0);
  }
  const double width = (support.v_max - support.v_min) / bins;
  const at::Tensor edges = indices_like(inside, support.num_bins + 1) * width + support.v_min;
  const at::Tensor below = at::erf((edges - inside) / (std::sqrt(2.0) * support.sigma_ratio * width));
  const at::Tensor mass = below.diff(1, 1);
  return mass / mass.sum(1, /*keepdim=*/true);
}

namespace reference {

void value_loss(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                const ValueSupport& support, std::optional<double> gradient_scale) {
  const at::Tensor missing = targets.select(1, 0).isnan();
  const at::Tensor given = targets.masked_fill(missing.unsqueeze(1), 0), x = logits.to(at::kDouble);
  at::Tensor losses, gradient, entropies = at::zeros_like(out.losses);
  if (support.loss == ValueLoss::mse) {
    losses = (x - given).square().sum(1);
    gradient = 2 * (x - given);
  } else if (support.loss == ValueLoss::quantile) {
    std::tie(losses, gradient) = quantile_losses(x, given, support);
  } else {
    const bool is_number = given.size(1) == 1;
    const at::Tensor p = is_number ? target_distributions(support, given.select(1, 0)) : given;
    losses = x.logsumexp(1) - (p * x).sum(1);
    gradient = x.softmax(1) - p;
    entropies = -at::xlogy(p, p).sum(1);
  }
  out.losses.copy_(losses.masked_fill(missing, 0));
  out.entropies.copy_(entropies.masked_fill(missing, 0));
  if (gradient_scale) logits.copy_((gradient * *gradient_scale).masked_fill(missing.unsqueeze(1), 0));
}

}  // namespace reference
}  // namespace galore
