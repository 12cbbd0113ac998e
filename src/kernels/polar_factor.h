// The polar factor U V^T of a matrix U S V^T, as exact as fp32 allows.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// Of x (m x n, fp32, contiguous), in a workspace buffer: x (x^T x)^-1/2 where x is tall, its mirror image
// where x is wide, by the eigenvectors of the smaller Gram matrix in fp64. Directions whose singular value is
// below 1e-6 of the largest are left out: what remains has a norm below the root of the rank. Should LAPACK
// not converge, a Newton-Schulz iteration of 30 steps takes its place. Elements must be finite.
at::Tensor polar_factor(const at::Tensor& x, Workspace& workspace);

}  // namespace galore
