// Targets that follow from rewards and the values of next states: lambda returns, n-step returns and the
// categorical and quantile backups of distributions. Legend: N places, m outputs of a place, k numbers of a
// target (m for c51 and quantile, otherwise 1).
//
// Place t has a reward r, a discount d of the next place's value and a lambda. With v the value of a place
// and G its target,
//   G(t) = r + d ((1 - lambda) v(t + 1) + lambda G(t + 1))                      (lambda returns)
//   G(t) = r(t) + d(t) r(t + 1) + ... + d(t) ... d(t + n - 1) v(t + n)          (n-step returns)
// until an episode ends (d = 0). For c51 the values and the targets are distributions ("A Distributional
// Perspective on Reinforcement Learning", arXiv 1707.06887, algorithm 1), for quantile they are samples
// (arXiv 1710.10044, section 4).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/value_distribution.h"

namespace galore {

// Returns the targets (N x k, fp64). outputs: N x m fp32, of the target network at each place; transitions:
// N x 3 fp64 (core/batch.h); both on the CPU. A reward that is not a number marks a place without a target,
// which gets NaN. The last place needs a discount of 0 or no target. steps = 0 asks for lambda returns.
at::Tensor backed_up_targets(const ValueSupport& support, const at::Tensor& outputs,
                             const at::Tensor& transitions, int64_t steps);

// Returns the one-step targets r + d v(next) (N x k, fp64) of N separate transitions. rewards, discounts: N,
// fp64; next_outputs: N x m fp32, of the target network at the next states.
at::Tensor one_step_targets(const ValueSupport& support, const at::Tensor& rewards,
                            const at::Tensor& discounts, const at::Tensor& next_outputs);

}  // namespace galore
