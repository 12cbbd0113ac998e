// The loss of a value head and its gradient, in one pass over a row of outputs ("Stop Regressing", arXiv
// 2403.03950; quantile regression: arXiv 1710.10044, equations 9 and 10). Legend: N rows, m outputs of a row,
// k numbers of a target.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/value_distribution.h"

namespace galore {

// The results of each row, N numbers in fp64. The entropy of the target is the smallest loss that any
// prediction can have; for mse and quantile it is 0.
struct ValueLosses {
  at::Tensor losses, entropies;
};

// Computes the losses of logits (N x m, fp32) and replaces the logits by gradient_scale times the gradient
// of the sum of the losses. Without a gradient_scale the logits stay. targets (N x k, fp64, on the device of
// the logits) holds
//   k = 1: a number for each row, which is moved into the support first;
//   k = m: a distribution over the locations of two_hot, hl_gauss or c51;
//   any k: with quantile, samples of equal mass.
// A row whose first number is not a number (NaN) has no target: its loss and its gradient are 0.
// bradley_terry has no targets of single rows (preference_loss_of()).
void value_loss(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                const ValueSupport& support, std::optional<double> gradient_scale);

// Returns the locations of the support (m, fp32) on the device of a head's outputs.
at::Tensor locations_beside(const at::Tensor& outputs, const ValueSupport& support);
// Returns the target distributions (N x m, fp64) of numbers (N, fp64), as target_of() gives them one by one.
at::Tensor target_distributions(const ValueSupport& support, const at::Tensor& numbers);

namespace reference {
void value_loss(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                const ValueSupport& support, std::optional<double> gradient_scale);
}  // namespace reference

}  // namespace galore
