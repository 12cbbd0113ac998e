#include "heads/action_value_loss.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "core/labels.h"
#include "heads/value_backup.h"
#include "kernels/cross_entropy.h"
#include "kernels/value_loss.h"

namespace galore {
ActionValueLoss::ActionValueLoss(const Pass& pass, const HeadConfig& config, const ActionOutputs& outputs,
                                 const Targets& targets)
    : config_(config),
      targets_(targets),
      outputs_(outputs),
      rows_(outputs.own.view({-1, config.value.num_outputs()})),
      values_(pass.scratch("score.action_values", {outputs.own.size(0), config.num_actions})),
      slopes_(pass.scratch("score.action_slopes", {outputs.own.size(0), config.num_actions})),
      shares_(
          pass.scratch("score.shares", {config.value.is_categorical() ? rows_.size(0) : 0, rows_.size(1)})),
      chosen_(pass.scratch("score.chosen", {outputs.own.size(0), rows_.size(1)})) {
  if (!rows_.is_meta()) read_out_all();
}

void ActionValueLoss::read_out_all() {
  const ValueSupport& support = config_.value;
  at::Tensor values = values_->view({-1}), shares = *shares_;
  if (!support.is_categorical()) {
    at::mean_out(values, rows_, {1});
    return;
  }
  at::softmax_out(shares, rows_, 1);
  at::mv_out(values, shares, locations_beside(rows_, support));
}

// Returns the rows of the outputs that belong to one action of each place.
at::Tensor ActionValueLoss::rows_of(const at::Tensor& actions) const {
  const at::Tensor chosen = actions.to(rows_.device());
  return at::arange(chosen.numel(), chosen.options()) * config_.num_actions + chosen;
}

at::Tensor ActionValueLoss::td_targets() const {
  if (!targets_.transitions.defined()) return targets_.values;
  const at::Tensor best = rows_of(values_->argmax(1));
  const at::Tensor next = outputs_.target.view(rows_.sizes()).index_select(0, best);
  return backed_up_targets(config_.value, next.cpu(), targets_.transitions, targets_.backup.steps);
}

void ActionValueLoss::compute(const ValueLosses& losses, std::optional<double> gradient_scale,
                              Predictions* out) {
  if (rows_.is_meta()) return;
  if (targets_.actions.min().item<int64_t>() < 0 ||
      targets_.actions.max().item<int64_t>() >= config_.num_actions)
    fail("data", "expected actions from 0 to {}", config_.num_actions - 1);
  const at::Tensor taken = rows_of(targets_.actions);
  at::Tensor chosen = *chosen_;
  at::index_select_out(chosen, rows_, 0, taken);
  if (out) {
    out->values = chosen.to(at::kCPU, at::kFloat, false, /*copy=*/true);
    const auto [value, action] = values_->max(1);
    out->actions = at::stack({action.to(at::kCPU, at::kDouble), value.to(at::kCPU, at::kDouble)}, 1);
  }
  const at::Tensor targets = td_targets().to(rows_.device()).contiguous();
  value_loss(losses, chosen, targets, config_.value, gradient_scale);
  if (gradient_scale) rows_.zero_();
  if (targets_.backup.conservative_weight > 0) add_conservative_term(losses.losses, gradient_scale);
  if (gradient_scale) rows_.index_add_(0, taken, chosen);
}

void ActionValueLoss::add_conservative_term(const at::Tensor& losses, std::optional<double> gradient_scale) {
  const double weight = targets_.backup.conservative_weight;
  const at::Tensor& given = targets_.transitions.defined() ? targets_.transitions : targets_.values;
  const at::Tensor labels =
      targets_.actions.masked_fill(given.select(1, 0).isnan(), kIgnoredLabel).to(rows_.device()).contiguous();
  slopes_->copy_(values_);
  const at::Tensor own = at::empty_like(losses);
  if (gradient_scale) {
    cross_entropy(own, slopes_, labels, weight * *gradient_scale);
    spread_slopes();
  } else {
    cross_entropy_loss(own, slopes_, labels);
  }
  losses.add_(own, weight);
}

// The derivative of a read-out by its outputs is p (z - value) for a softmax p over locations z, and 1 / m
// for the mean of m outputs.
void ActionValueLoss::spread_slopes() {
  const at::Tensor slopes = slopes_->view({-1, 1});
  if (!config_.value.is_categorical()) {
    rows_.copy_(slopes.expand(rows_.sizes())).div_(rows_.size(1));
    return;
  }
  rows_.copy_(locations_beside(rows_, config_.value).unsqueeze(0).expand(rows_.sizes()));
  rows_.sub_(values_->view({-1, 1})).mul_(shares_).mul_(slopes);
}

}  // namespace galore
