// Newton-Schulz iteration towards the polar factor U V^T of a matrix U S V^T, which uses only matrix
// products.
//
// Each step X = a X + (b A + c A A) X with A = X X^T, or with X^T X on the right if X is tall, maps singular
// values s to a s + b s^3 + c s^5. The singular values of the start must be at most about 1.
//   quintic  3.4445, -4.7750, 2.0315: Muon's (Jordan 2024); five steps bring all singular values above 1e-3
//            between 0.7 and 1.2
//   cubic    1.5, -0.5, 0: converges to 1
//
// to_bfloat16: X, A, b A + c A A and each new X are bf16 numbers, while products are summed in fp32. Hardware
// with bf16 products forms these products if the smaller side is at least 128; the sum of a product and
// another term may then be rounded once more. Otherwise fp32 arithmetic forms them, with one rounding each.
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

// Overwrites x (m x n, fp32, contiguous); the result is x or a workspace buffer. It costs at most steps (4
// s^2 l + 2 s^3) multiplications and additions for sides s <= l; Gram products of many rows take little more
// than half.
at::Tensor newton_schulz(const at::Tensor& x, const NewtonSchulz& iteration, Workspace& workspace);

}  // namespace galore
