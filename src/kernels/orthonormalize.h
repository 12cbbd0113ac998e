// Makes the columns of a matrix orthonormal by two passes of Cholesky QR.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// Replaces the columns of `matrix` (m x c, m >= c, fp32, contiguous) by orthonormal ones with the same span;
// the first k columns keep their span for every k. It takes two passes of Cholesky QR (Yamamoto et al. 2015,
// "Roundoff error analysis of the CholeskyQR2 algorithm"): matrix products and one c x c factorization,
// whereas Householder's panels run at a tenth of the speed. The first Gram matrix is summed in fp32 if its
// pivots are safe and in fp64 otherwise, which serves condition numbers up to about 10^7. Beyond that, and
// for dependent columns, it uses Householder QR; columns that the span does not determine are then arbitrary.
// Elements must be finite.
void orthonormalize(const at::Tensor& matrix, Workspace& workspace);

// Replaces the columns by columns of the same span that have a length of about one and are far from parallel,
// as a power iteration needs them between its products. It takes one pass with a shifted Gram matrix (Fukaya
// et al. 2020, "Shifted Cholesky QR") in fp32. Components weaker than 10^-2 of the others stay weak, by a
// factor of 10^2 less.
void condition(const at::Tensor& matrix, Workspace& workspace);

// Computes out (c x c, fp64) = matrix^T matrix of an fp32 matrix (m x c, contiguous), summed in fp64.
void gram_matrix(const at::Tensor& out, const at::Tensor& matrix, Workspace& workspace);

}  // namespace galore
