// Newton-Schulz iteration towards the polar factor U V^T of a matrix U S V^T, by matrix products alone.
//
// Each step X = a X + (b A + c A A) X with A = X X^T, or with X^T X on the right where X is tall, maps
// singular values s to a s + b s^3 + c s^5. Those of the start must be at most about 1.
//   quintic  3.4445, -4.7750, 2.0315: Muon's (Jordan 2024), which brings all above 1e-3 to between 0.7
//   and 1.2 in
//            five steps
//   cubic    1.5, -0.5, 0: converges to 1
//
// to_bfloat16: X, A, b A + c A A and each new X are bf16 numbers, while products are summed in fp32. Where
// the hardware has bf16 products and the smaller side is at least 128, these form them; the sum of a product
// and another term may be rounded once more on the way. Elsewhere fp32 arithmetic does, rounded once each.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "kernels/linear_combination.h"

namespace galore {

struct NewtonSchulz {
  double a = 3.4445, b = -4.7750, c = 2.0315;
  int64_t steps = 5;
  kernels::Rounded rounded = kernels::Rounded::no;
};

// x (m x n, fp32, contiguous) is overwritten; the result is x or a workspace buffer. Costs
// at most steps (4 s^2 l + 2 s^3) multiplications and additions for sides s <= l; Gram products of many rows
// are formed by little more than half.
at::Tensor newton_schulz(const at::Tensor& x, const NewtonSchulz& iteration, Workspace& workspace);

}  // namespace galore
