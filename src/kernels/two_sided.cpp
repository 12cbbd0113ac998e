#include "kernels/two_sided.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

cpu::TwoSidedTask task_of(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns) {
  return {gradient.mutable_data_ptr<float>(), rows.mutable_data_ptr<float>(), columns.const_data_ptr<float>(),
          gradient.size(0), gradient.size(1)};
}

void check_two_sided(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns) {
  GALORE_ASSERT(gradient.dim() == 2 && gradient.is_contiguous() && rows.is_contiguous() &&
                columns.is_contiguous());
  GALORE_ASSERT(rows.numel() == gradient.size(0) && columns.numel() == gradient.size(1));
}

void weigh_on_cpu(const at::Tensor& rows, const at::Tensor& sums, const at::Tensor& gradient,
                  const at::Tensor& columns, const HalfStep& step) {
  cpu::weigh_rows_then_columns(task_of(gradient, rows, columns), sums.mutable_data_ptr<double>(), step);
}

double scale_both_on_cpu(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns) {
  return cpu::scale_rows_and_columns(task_of(gradient, rows, columns));
}

const Operation<decltype(weigh_rows_then_columns)> kWeighRowsThenColumns(
    "weigh_rows_then_columns", {.cpu = weigh_on_cpu, .composed = composed::weigh_rows_then_columns});
const Operation<decltype(scale_rows_and_columns)> kScaleRowsAndColumns(
    "scale_rows_and_columns", {.cpu = scale_both_on_cpu, .composed = composed::scale_rows_and_columns});

}  // namespace

void weigh_rows_then_columns(const at::Tensor& rows, const at::Tensor& sums, const at::Tensor& gradient,
                             const at::Tensor& columns, const HalfStep& step) {
  check_two_sided(gradient, rows, columns);
  GALORE_ASSERT(sums.numel() == columns.numel() && sums.scalar_type() == at::kDouble && sums.is_contiguous());
  kWeighRowsThenColumns(gradient, rows, sums, gradient, columns, step);
}

double scale_rows_and_columns(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns) {
  check_two_sided(gradient, rows, columns);
  return kScaleRowsAndColumns(gradient, gradient, rows, columns);
}

namespace composed {

void weigh_rows_then_columns(const at::Tensor& rows, const at::Tensor& sums, const at::Tensor& gradient,
                             const at::Tensor& columns, const HalfStep& step) {
  const at::Tensor squares = gradient.to(at::kDouble).square_();
  const at::Tensor t = squares.mv(columns.reshape({-1}).to(at::kDouble));
  const at::Tensor weights =
      step.weight == RowWeight::product ? t * step.factor : at::where(t > 0, step.factor / t, 0.0);
  rows.copy_(weights.view(rows.sizes()));
  sums.copy_(squares.t().mv(weights).view(sums.sizes()));
}

double scale_rows_and_columns(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns) {
  gradient.mul_(rows.view({-1, 1})).mul_(columns.view({1, -1}));
  return gradient.to(at::kDouble).square_().sum().item<double>();
}

}  // namespace composed
}  // namespace galore::kernels
