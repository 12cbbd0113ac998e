#include "kernels/line_norms.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

void norms_on_cpu(const at::Tensor& out, const at::Tensor& matrix, Lines lines) {
  const cpu::MatrixView view{matrix.const_data_ptr<float>(), matrix.size(0), matrix.size(1)};
  double* sums = out.mutable_data_ptr<double>();
  lines == Lines::rows ? cpu::squared_row_norms(sums, view) : cpu::squared_column_norms(sums, view);
}

const Operation<decltype(squared_norms)> kSquaredNorms("squared_norms",
                                                       {.cpu = norms_on_cpu,
                                                        .composed = composed::squared_norms});

}  // namespace

void squared_norms(const at::Tensor& out, const at::Tensor& matrix, Lines lines) {
  GALORE_ASSERT(matrix.dim() == 2 && matrix.scalar_type() == at::kFloat && matrix.is_contiguous());
  GALORE_ASSERT(out.scalar_type() == at::kDouble && out.is_contiguous());
  GALORE_ASSERT(out.numel() == matrix.size(lines == Lines::rows ? 0 : 1));
  kSquaredNorms(matrix, out, matrix, lines);
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
