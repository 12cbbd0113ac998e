// The polar factor U V^T of a matrix U S V^T, as exact as fp32 allows.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// Returns the polar factor of x (m x n, fp32, contiguous) in a workspace buffer: x (x^T x)^-1/2 if x is tall
// and the mirrored form if it is wide, by the eigenvectors of the smaller Gram matrix in fp64. Directions
// with a singular value below 1e-6 of the largest are left out; the result then has a norm below the root of
// the rank. If LAPACK does not converge, a Newton-Schulz iteration of 30 steps replaces it. Elements must be
// finite.
at::Tensor polar_factor(const at::Tensor& x, Workspace& workspace);

}  // namespace galore
