// Norms of a matrix's rows or columns, and their scaling, for methods that adapt a gradient line by line.
// Sums are fp64 and run in a fixed order, so they do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

enum class Lines { rows, columns };

// Computes out (fp64, contiguous, one number for each line) = sums of the squares of each line. matrix is m x
// n, fp32, contiguous. It takes one pass over the matrix and does nothing on the meta device.
void squared_norms(const at::Tensor& out, const at::Tensor& matrix, Lines lines);

// Multiplies each line of `matrix` (fp32, in place) by its factor (fp32, one for each line), in one pass.
void scale_lines(const at::Tensor& matrix, const at::Tensor& factors, Lines lines);

namespace composed {
void squared_norms(const at::Tensor& out, const at::Tensor& matrix, Lines lines);
}

namespace cpu {
struct MatrixView {
  const float* data;
  int64_t rows, columns;
};
void squared_row_norms(double* out, const MatrixView& matrix);
void squared_column_norms(double* out, const MatrixView& matrix);
}  // namespace cpu

}  // namespace galore::kernels
