#include "kernels/dct.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/op_table.h"

namespace galore {
namespace {

constexpr int64_t kElements = int64_t{1} << 18;  // elements of the rows that are transformed at a time

// Returns cos(pi k / (2 n)) for k < 4 n, the period.
std::vector<float> cosines(int64_t n) {
  std::vector<float> table(static_cast<size_t>(4 * n));
  for (int64_t k = 0; k < 4 * n; ++k)
    table[static_cast<size_t>(k)] =
        static_cast<float>(std::sqrt(2.0 / static_cast<double>(n)) *
                           std::cos(std::numbers::pi * static_cast<double>(k) / static_cast<double>(2 * n)));
  return table;
}

void fill_columns(const at::Tensor& out, const at::Tensor& columns) {
  const int64_t n = out.size(0), count = out.size(1), period = 4 * n;
  const std::vector<float> table = cosines(n);
  const int32_t* const column = columns.data_ptr<int32_t>();
  float* const to = out.data_ptr<float>();
  std::fill(to, to + count, static_cast<float>(std::sqrt(1.0 / static_cast<double>(n))));
  at::parallel_for(1, n, std::max<int64_t>(1, (1 << 15) / count), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t c = 0; c < count; ++c)
        to[i * count + c] = table[static_cast<size_t>(i * (2 * column[c] + 1) % period)];
  });
}

// Computes an inverse transform by an FFT: the spectrum of row x, reordered to even elements and then odd
// ones backwards, is phase[k] (x[k] - i x[n - k]), with c_i removed from x.
struct Transform {
  explicit Transform(const at::Tensor& like) : n(like.size(1)), half(n / 2 + 1) {
    const auto exact = like.options().dtype(at::kDouble);
    weight = at::full({n}, std::sqrt(static_cast<double>(n) / 2), exact);
    weight[0] = std::sqrt(static_cast<double>(n));
    const at::Tensor angle = at::arange(half, exact) * (std::numbers::pi / static_cast<double>(2 * n));
    phase = at::polar(at::ones({half}, exact), angle).to(at::kComplexFloat);
    weight = weight.to(at::kFloat);
  }
  // Returns the elements of x Q in another order.
  at::Tensor of(const at::Tensor& x) const {
    const at::Tensor weighted = x * weight;
    const at::Tensor mirrored = at::zeros({x.size(0), half}, x.options());
    mirrored.narrow(1, 1, half - 1).copy_(weighted.narrow(1, n - half + 1, half - 1).flip({1}));
    const at::Tensor spectrum = at::complex(weighted.narrow(1, 0, half).contiguous(), mirrored.neg_());
    return at::fft_irfft(spectrum.mul_(phase), n);
  }
  int64_t n, half;
  at::Tensor weight, phase;
};

// Reorders the sums: places 0, 1, 2, ... belong to columns 0, 2, 4, ..., and places from the end to columns
// 1, 3, 5, ...
at::Tensor in_order(const at::Tensor& sums) {
  const int64_t n = sums.size(0), even = (n + 1) / 2;
  const at::Tensor ordered = at::empty_like(sums);
  ordered.slice(0, 0, n, 2).copy_(sums.narrow(0, 0, even));
  if (n > 1) ordered.slice(0, 1, n, 2).copy_(sums.narrow(0, even, n - even).flip({0}));
  return ordered;
}

void fill_columns_by_host(const at::Tensor& out, const at::Tensor& columns) {
  const at::Tensor made = at::empty(out.sizes(), at::kFloat);
  fill_columns(made, columns.cpu());
  out.copy_(made);
}

const kernels::Operation<decltype(dct_columns)> kDctColumns("dct_columns",
                                                            {.cpu = fill_columns,
                                                             .composed = fill_columns_by_host});

}  // namespace

void dct_columns(const at::Tensor& out, const at::Tensor& columns) { kDctColumns(out, out, columns); }

at::Tensor dct_column_sizes(const at::Tensor& matrix, Workspace& workspace) {
  const int64_t rows = matrix.size(0), n = matrix.size(1);
  const int64_t step = std::clamp<int64_t>(kElements / n, 1, rows);
  workspace.ledger().note_transient(6 * 4 * step * (n + 2) + 4 * 8 * n);
  if (matrix.is_meta()) return {};
  const Transform transform(matrix);
  const at::Tensor sums = at::zeros({n}, matrix.options().dtype(at::kDouble));
  for (int64_t row = 0; row < rows; row += step)
    sums.add_(
        transform.of(matrix.narrow(0, row, std::min(step, rows - row))).abs_().sum(0, false, at::kDouble));
  return in_order(sums).cpu();
}

namespace composed {

at::Tensor dct_column_sizes(const at::Tensor& matrix) {
  const int64_t n = matrix.size(1);
  const at::Tensor q = at::empty({n, n}, at::kFloat);
  dct_columns(q, at::arange(n, at::kInt));
  return matrix.to(at::kDouble).matmul(q.to(at::kDouble)).abs().sum(0);
}

}  // namespace composed
}  // namespace galore
