// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/two_sided.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "hwy/highway.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/squares-inl.h"
#include "kernels/cpu/vector_io-inl.h"
#include "kernels/two_sided.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

float weighted_squares(const float* x, const float* weights, int64_t count) {
  const FloatTag d;
  Float sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0, k = 0; i < count; i += lanes, k = (k + 1) % 4) {
    const auto left = static_cast<size_t>(count - i);
    const Float value = load_some(d, x + i, left);
    sums[k] = hn::MulAdd(hn::Mul(value, value), load_some(d, weights + i, left), sums[k]);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

void add_weighted_squares(float* sums, const float* x, float weight, int64_t count) {
  const FloatTag d;
  const Float factor = hn::Set(d, weight);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(count - i);
    const Float value = load_some(d, x + i, left);
    store_some(d, hn::MulAdd(hn::Mul(value, value), factor, load_some(d, sums + i, left)), sums + i, left);
  }
}

// sums holds the sums of these rows.
void weigh_range(const TwoSidedTask& task, float* sums, const HalfStep& step, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* x = task.gradient + row * task.num_columns;
    const double t = weighted_squares(x, task.columns, task.num_columns);
    const double weight = step.weight == RowWeight::product ? step.factor * t : t > 0 ? step.factor / t : 0;
    task.rows[row] = static_cast<float>(weight);
    add_weighted_squares(sums, x, task.rows[row], task.num_columns);
  }
}

// squares holds the sum of squares of each row of the result, which is read again from the cache.
void scale_range(const TwoSidedTask& task, double* squares, int64_t begin, int64_t end) {
  const FloatTag d;
  for (int64_t row = begin; row < end; ++row) {
    float* x = task.gradient + row * task.num_columns;
    const Float factor = hn::Set(d, task.rows[row]);
    for (int64_t i = 0; i < task.num_columns; i += static_cast<int64_t>(hn::Lanes(d))) {
      const auto left = static_cast<size_t>(task.num_columns - i);
      const Float scaled =
          hn::Mul(hn::Mul(factor, load_some(d, x + i, left)), load_some(d, task.columns + i, left));
      store_some(d, scaled, x + i, left);
    }
    squares[row] = sum_of_squares(x, task.num_columns);
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(weigh_range);
HWY_EXPORT(scale_range);

namespace {

// The rows whose column sums one thread adds up in fp32, whatever the number of threads.
constexpr int64_t kPieceRows = 64;

}  // namespace

void weigh_rows_then_columns(const TwoSidedTask& task, double* sums, const HalfStep& step) {
  const int64_t pieces = (task.num_rows + kPieceRows - 1) / kPieceRows, n = task.num_columns;
  std::vector<float> parts(static_cast<size_t>(pieces * n));
  at::parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t last = std::min(task.num_rows, (piece + 1) * kPieceRows);
      HWY_DYNAMIC_DISPATCH(weigh_range)(task, parts.data() + piece * n, step, piece * kPieceRows, last);
    }
  });
  std::fill_n(sums, n, 0.0);
  for (int64_t piece = 0; piece < pieces; ++piece)
    for (int64_t i = 0; i < n; ++i) sums[i] += parts[static_cast<size_t>(piece * n + i)];
}

double scale_rows_and_columns(const TwoSidedTask& task) {
  std::vector<double> squares(static_cast<size_t>(task.num_rows));
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, task.num_columns));
  at::parallel_for(0, task.num_rows, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(scale_range)(task, squares.data(), begin, end);
  });
  return std::accumulate(squares.begin(), squares.end(), 0.0);
}

}  // namespace galore::kernels::cpu
#endif
