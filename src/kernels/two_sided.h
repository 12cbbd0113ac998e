// Scales a matrix by its rows and columns, with factors found by alternating between them: RACS (arXiv
// 2502.07752) and SinkGD (arXiv 2502.06742). Legend: G m x n, fp32, contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

// A row's weight as a function of its weighted sum of squares t: `factor` t, or `factor` / t and 0 when t is
// 0.
enum class RowWeight { product, quotient };

struct HalfStep {
  RowWeight weight;
  double factor = 1;
};
// Computes rows_i = weight of sum_j columns_j G_ij^2 and sums_j = sum_i rows_i G_ij^2 in one pass over the
// matrix. rows (m) and columns (n) are fp32, sums (n) are fp64. Sums run in a fixed order, whatever the
// number of threads.
void weigh_rows_then_columns(const at::Tensor& rows, const at::Tensor& sums, const at::Tensor& gradient,
                             const at::Tensor& columns, const HalfStep& step);

// Computes G_ij *= rows_i columns_j in place and returns the sum of squares of the result, or 0 on the meta
// device.
double scale_rows_and_columns(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns);

namespace composed {
void weigh_rows_then_columns(const at::Tensor& rows, const at::Tensor& sums, const at::Tensor& gradient,
                             const at::Tensor& columns, const HalfStep& step);
double scale_rows_and_columns(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns);
}  // namespace composed

namespace cpu {
struct TwoSidedTask {
  float* gradient;
  float* rows;
  const float* columns;
  int64_t num_rows, num_columns;
};
void weigh_rows_then_columns(const TwoSidedTask& task, double* sums, const HalfStep& step);
double scale_rows_and_columns(const TwoSidedTask& task);
}  // namespace cpu

}  // namespace galore::kernels
