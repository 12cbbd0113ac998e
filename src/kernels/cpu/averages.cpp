// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/averages.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include "hwy/highway.h"
#include "kernels/averages.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void average_range(float* average, float* gradient, int64_t count, const Averaging& averaging) {
  const FloatTag d;
  const Float kept = hn::Set(d, static_cast<float>(averaging.kept));
  const Float entering = hn::Set(d, static_cast<float>(averaging.entering));
  const Float ahead = hn::Set(d, static_cast<float>(averaging.ahead_entering));
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(count - i);
    const Float g = load_some(d, gradient + i, left);
    const Float now = hn::MulAdd(kept, load_some(d, average + i, left), hn::Mul(entering, g));
    store_some(d, now, average + i, left);
    store_some(d, averaging.ahead ? hn::MulAdd(kept, now, hn::Mul(ahead, g)) : now, gradient + i, left);
  }
}

void scale_range(float* average, float* gradient, int64_t count, const RootScaling& scaling) {
  const FloatTag d;
  const Float kept = hn::Set(d, static_cast<float>(scaling.kept));
  const Float entering = hn::Set(d, static_cast<float>(1 - scaling.kept));
  const Float epsilon = hn::Set(d, static_cast<float>(scaling.epsilon));
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto left = static_cast<size_t>(count - i);
    const Float g = load_some(d, gradient + i, left);
    const Float now = hn::MulAdd(kept, load_some(d, average + i, left), hn::Mul(entering, hn::Mul(g, g)));
    store_some(d, now, average + i, left);
    store_some(d, hn::Div(g, hn::Add(hn::Sqrt(now), epsilon)), gradient + i, left);
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(average_range);
HWY_EXPORT(scale_range);

void average_gradient(float* average, float* gradient, int64_t count, const Averaging& averaging) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(average_range)(average + begin, gradient + begin, end - begin, averaging);
  });
}

void scale_by_root(float* average, float* gradient, int64_t count, const RootScaling& scaling) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(scale_range)(average + begin, gradient + begin, end - begin, scaling);
  });
}

}  // namespace galore::kernels::cpu
#endif
