#include "kernels/line_norms.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore::kernels {

void squared_norms(const at::Tensor& out, const at::Tensor& matrix, Lines lines) {
  GALORE_ASSERT(matrix.dim() == 2 && matrix.scalar_type() == at::kFloat && matrix.is_contiguous());
  GALORE_ASSERT(out.scalar_type() == at::kDouble && out.is_contiguous());
  GALORE_ASSERT(out.numel() == matrix.size(lines == Lines::rows ? 0 : 1));
  if (matrix.is_meta()) return;
  if (!matrix.is_cpu()) return composed::squared_norms(out, matrix, lines);
  const cpu::MatrixView view{matrix.const_data_ptr<float>(), matrix.size(0), matrix.size(1)};
  double* sums = out.mutable_data_ptr<double>();
  lines == Lines::rows ? cpu::squared_row_norms(sums, view) : cpu::squared_column_norms(sums, view);
}

void scale_lines(const at::Tensor& matrix, const at::Tensor& factors, Lines lines) {
  GALORE_ASSERT(matrix.dim() == 2 && factors.numel() == matrix.size(lines == Lines::rows ? 0 : 1));
  matrix.mul_(factors.view(lines == Lines::rows ? at::IntArrayRef{-1, 1} : at::IntArrayRef{1, -1}));
}

namespace composed {

void squared_norms(const at::Tensor& out, const at::Tensor& matrix, Lines lines) {
  at::Tensor sums = out;
  at::sum_out(sums, matrix.to(at::kDouble).square_(), {lines == Lines::rows ? 1 : 0});
}

}  // namespace composed
}  // namespace galore::kernels
