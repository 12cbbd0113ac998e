// Finds the next basis as Alice does (Gong et al. 2025, arXiv 2502.07752, Algorithms 2 and 10). Legend: G is
// the gradient, oriented so that its left side, of m, is projected; U is m x r with orthonormal columns.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "core/random.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/subspace.h"

namespace galore {

struct TrackedEigenbasis {
  Side side;           // left: use G; right: use G^T
  at::Tensor old;      // U
  at::Tensor tracked;  // Q', r x r: an average of S S^T, S = U^T G
  double beta;
  Workspace& workspace;
};

// Takes one step of subspace iteration from U with Q = beta U Q' U^T + (1 - beta) G G^T and rotates the
// result into Q's eigenvectors in its span, the largest first, with the signs of U. Returns m x r in a
// workspace buffer, or an undefined tensor when Q is zero or not finite or LAPACK does not converge. On the
// meta device it only allocates the buffers.
at::Tensor leading_eigenvectors(const GradientOperator& gradient, const TrackedEigenbasis& state);

// Keeps the first `kept` columns of `basis` and replaces the others by random orthonormal directions outside
// all of it, or outside the kept columns when there is no room. Works in place.
void switch_directions(const at::Tensor& basis, int64_t kept, const RandomStream& random,
                       Workspace& workspace);

}  // namespace galore
