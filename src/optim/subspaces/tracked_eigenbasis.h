// Alice's way to the next basis (Gong et al. 2025, arXiv 2502.07752, Algorithms 2 and 10). Legend: a gradient
// G seen so that its left side, of m, is projected; U m x r, orthonormal columns.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "core/random.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/subspace.h"

namespace galore {

struct TrackedEigenbasis {
  Side side;           // left or right: of G, or G^T
  at::Tensor old;      // U
  at::Tensor tracked;  // Q', r x r: an average of S S^T, S = U^T G
  double beta;
  Workspace& workspace;
};

// One step of subspace iteration from U with Q = beta U Q' U^T + (1 - beta) G G^T, turned into Q's
// eigenvectors in the span, the largest first, with the signs of U. m x r, in a workspace buffer; undefined
// where Q is zero or not finite, or LAPACK does not converge. On the meta device only the buffers are
// claimed.
at::Tensor leading_eigenvectors(const GradientOperator& gradient, const TrackedEigenbasis& state);

// The first `kept` columns of `basis`, and random orthonormal directions outside all of it for the others;
// outside the kept ones alone where there is no room. In place.
void switch_directions(const at::Tensor& basis, int64_t kept, const RandomStream& random,
                       Workspace& workspace);

}  // namespace galore
