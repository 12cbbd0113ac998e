// The direction of an update: the optimizer multiplies it by the learning rate and subtracts it from the
// weight.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// direction = dense + scale * left right; either part may be absent. The low-rank part stays in factors,
// because adding a product to a weight needs no temporary of full size. When both parts are given, the
// product may be added to dense in place, so dense must not be state. Shapes: dense m x n, left m x r, right
// r x n; all are fp32.
struct Direction {
  at::Tensor dense;
  at::Tensor left, right;
  double scale = 1;
  at::Tensor low_rank = {};  // left right is its lift by the weight's subspace
};

}  // namespace galore
