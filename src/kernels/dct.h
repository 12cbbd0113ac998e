// The orthogonal matrix Q of the discrete cosine transform. Bases are made by choosing its columns.
//
//   Q[i][j] = c_i cos(pi i (2j + 1) / (2 n)), c_0 = sqrt(1 / n), the others sqrt(2 / n)
//
// The rows of Q are the vectors of DCT-II; x Q is the DCT-III of x, its inverse.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// Sets out (n x r, fp32, contiguous) to the columns of Q with the numbers in `columns` (r, int32). Does
// nothing on the meta device.
void dct_columns(const at::Tensor& out, const at::Tensor& columns);

// Returns for every column of `matrix` Q (a x n, fp32, any strides) the sum of its elements' magnitudes: n
// numbers in fp64, on the CPU. It uses Makhoul's form of the transform (IEEE Trans. ASSP 28, 1980), one FFT
// of length n for each row, some rows at a time. On the meta device the result is undefined and only the
// buffers are allocated.
at::Tensor dct_column_sizes(const at::Tensor& matrix, Workspace& workspace);

namespace composed {
// Computes it by a product with Q.
at::Tensor dct_column_sizes(const at::Tensor& matrix);
}  // namespace composed

}  // namespace galore
