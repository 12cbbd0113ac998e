// Value heads for networks that are no language models, with autograd: losses, targets and read-outs of the
// heads in kernels/value_distribution.h. Legend: N rows, m outputs of a row, k numbers of a target.
//
//   const ValueSupport support{ValueLoss::hl_gauss, -10, 10, 51};  // support.num_outputs() outputs a row
//   const at::Tensor targets = one_step_targets(support, rewards, discounts, target_network(next_states));
//   value_losses(support, network(states), targets).mean().backward();
//   const at::Tensor values = value_readouts(support, network(states));
//
// examples/dqn plays a game with it. Targets have no gradient.
#pragma once

#include <ATen/core/Tensor.h>

#include "heads/value_backup.h"
#include "kernels/value_distribution.h"

namespace galore {

// Returns the loss of each row (N, fp32), which autograd can differentiate by the outputs. outputs: N x m of
// fp32 or bf16; targets: N numbers, or N x k as in kernels/value_loss.h. Cross entropies are not reduced by
// the target's entropy. Wrong shapes and bradley_terry are an Error.
at::Tensor value_losses(const ValueSupport& support, const at::Tensor& outputs, const at::Tensor& targets);
// Returns the entropy of each row's target (N, fp64), the smallest loss that any outputs can have.
at::Tensor target_entropies(const ValueSupport& support, const at::Tensor& targets);

// Return the mean and the standard deviation of each row (N, or any shape without the last dimension), which
// autograd can differentiate. outputs: ... x m. With one output the deviation is 0.
at::Tensor value_readouts(const ValueSupport& support, const at::Tensor& outputs);
at::Tensor value_deviations(const ValueSupport& support, const at::Tensor& outputs);

// Returns -log sigmoid(preferred - rejected) of read-outs of equal shape (Bradley-Terry).
at::Tensor preference_losses(const at::Tensor& preferred, const at::Tensor& rejected);

}  // namespace galore
