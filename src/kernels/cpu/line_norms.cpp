// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/line_norms.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/squares-inl.h"
#include "kernels/line_norms.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void row_range(double* out, const MatrixView& matrix, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row)
    out[row] = sum_of_squares(matrix.data + row * matrix.columns, matrix.columns);
}

// Adds the squares of the rows to sums, column by column.
void column_range(double* sums, const MatrixView& matrix, int64_t begin, int64_t end) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = begin; row < end; ++row) {
    const float* x = matrix.data + row * matrix.columns;
    int64_t i = 0;
    for (; i + lanes <= matrix.columns; i += lanes) {
      const auto value = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
      hn::StoreU(hn::MulAdd(value, value, hn::LoadU(d, sums + i)), d, sums + i);
    }
    for (; i < matrix.columns; ++i) sums[i] += double{x[i]} * x[i];
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(row_range);
HWY_EXPORT(column_range);

namespace {

// The rows whose column sums one thread adds up, whatever the number of threads.
constexpr int64_t kPieceRows = 128;

}  // namespace

void squared_row_norms(double* out, const MatrixView& matrix) {
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, matrix.columns));
  at::parallel_for(0, matrix.rows, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(row_range)(out, matrix, begin, end);
  });
}

void squared_column_norms(double* out, const MatrixView& matrix) {
  const int64_t pieces = (matrix.rows + kPieceRows - 1) / kPieceRows;
  std::vector<double> sums(static_cast<size_t>(pieces * matrix.columns));
  at::parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * kPieceRows, last = std::min(matrix.rows, first + kPieceRows);
      HWY_DYNAMIC_DISPATCH(column_range)(sums.data() + piece * matrix.columns, matrix, first, last);
    }
  });
  std::fill_n(out, matrix.columns, 0.0);
  for (int64_t piece = 0; piece < pieces; ++piece)
    for (int64_t i = 0; i < matrix.columns; ++i)
      out[i] += sums[static_cast<size_t>(piece * matrix.columns + i)];
}

}  // namespace galore::kernels::cpu
#endif
