// Orthonormal columns by Cholesky QR, twice.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// Replaces the columns of `matrix` (m x c, m >= c, fp32, contiguous) by orthonormal ones of the same span,
// the first k spanning what the first k spanned. Two passes of Cholesky QR (Yamamoto et al. 2015, "Roundoff
// error analysis of the CholeskyQR2 algorithm"): matrix products and one c x c factorization, where
// Householder's panels run at a tenth of the speed. The first Gram matrix is summed in fp32 where its pivots
// are safe, else in fp64, so condition numbers up to about 10^7 are served; beyond, and for columns that
// depend on others, Householder QR takes over. Columns that the span leaves open are then arbitrary. Elements
// must be finite.
void orthonormalize(const at::Tensor& matrix, Workspace& workspace);

// The same span by columns of length about one that are far from parallel, as a power iteration needs them
// between its products: one pass with a shifted Gram matrix (Fukaya et al. 2020, "Shifted Cholesky QR"), in
// fp32. What is weaker than 10^-2 of the rest stays weak, by 10^2 less.
void condition(const at::Tensor& matrix, Workspace& workspace);

// out (c x c, fp64) = matrix^T matrix of an fp32 matrix (m x c, contiguous), summed in fp64.
void gram_matrix(const at::Tensor& out, const at::Tensor& matrix, Workspace& workspace);

}  // namespace galore
