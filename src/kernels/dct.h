// The orthogonal matrix Q of the discrete cosine transform, of which bases are made by choosing columns.
//
//   Q[i][j] = c_i cos(pi i (2j + 1) / (2 n)), c_0 = sqrt(1 / n), the others sqrt(2 / n)
//
// The rows of Q are the vectors of DCT-II; x Q is DCT-III, its inverse, of x.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// out (n x r, fp32, contiguous) = the columns of Q whose numbers `columns` (r, int32) holds. Nothing happens
// on the meta device.
void dct_columns(const at::Tensor& out, const at::Tensor& columns);

// Of every column of `matrix` Q (a x n, fp32, any strides): the sum of its elements' sizes, n numbers in
// fp64, on the processor. By Makhoul's form of the transform (IEEE Trans. ASSP 28, 1980), one FFT of length n
// a row, some rows at a time. Undefined on the meta device, where the buffers are claimed.
at::Tensor dct_column_sizes(const at::Tensor& matrix, Workspace& workspace);

namespace composed {
// By a product with Q.
at::Tensor dct_column_sizes(const at::Tensor& matrix);
}  // namespace composed

}  // namespace galore
