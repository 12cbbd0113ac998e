// Lengths of a matrix's rows or columns, and their scaling: what methods need that adapt a gradient line by
// line. Sums run in fp64 and in a fixed order: they do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

enum class Lines { rows, columns };

// out (fp64, contiguous, one number a line) = sums of the squares of a line. matrix: m x n, fp32, contiguous.
// One pass over the matrix. Nothing happens on the meta device.
void squared_norms(const at::Tensor& out, const at::Tensor& matrix, Lines lines);

// Each line of `matrix` (fp32, in place) times its factor (fp32, one a line). One pass.
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
