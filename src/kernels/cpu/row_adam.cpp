// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/row_adam.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/squares-inl.h"
#include "kernels/cpu/vector_io-inl.h"
#include "kernels/row_adam.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Each row is read for its sum, and again from the cache.
void row_adam_range(const AdamStep& step, const RowAdamTask& task, int64_t begin, int64_t end) {
  const FloatTag d;
  const Float beta1 = hn::Set(d, static_cast<float>(step.beta1)), rest1 = hn::Set(d, step.rest1());
  const int64_t n = task.columns;
  for (int64_t row = begin; row < end; ++row) {
    float *gradient = task.gradient + row * n, *m = task.m + row * n;
    const double mean = sum_of_squares(gradient, n) / static_cast<double>(n);
    const double v = step.beta2 * task.v[row] + (1 - step.beta2) * mean;
    task.v[row] = static_cast<float>(v);
    const Float factor = hn::Set(d, step.correction / (std::sqrt(task.v[row]) + step.epsilon));
    for (int64_t i = 0; i < n; i += static_cast<int64_t>(hn::Lanes(d))) {
      const auto left = static_cast<size_t>(n - i);
      const Float old = hn::Mul(beta1, load_some(d, m + i, left));
      const Float now = hn::MulAdd(rest1, load_some(d, gradient + i, left), old);
      store_some(d, now, m + i, left);
      store_some(d, hn::Mul(factor, now), gradient + i, left);
    }
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(row_adam_range);

void row_adam_direction(const AdamStep& step, const RowAdamTask& task) {
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, task.columns));
  at::parallel_for(0, task.rows, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(row_adam_range)(step, task, begin, end);
  });
}

}  // namespace galore::kernels::cpu
#endif
