// What an optimizer multiplies by the learning rate and subtracts from a weight.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// direction = dense + scale * left right, either part possibly absent. The low-rank part stays in factors
// because adding a product to a weight costs no full-size temporary. Where both are given, the product may be
// added to dense in place, so it must not be state. dense: m x n; left: m x r; right: r x n;
// fp32.
struct Direction {
  at::Tensor dense;
  at::Tensor left, right;
  double scale = 1;
};

}  // namespace galore
