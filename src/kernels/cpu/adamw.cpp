// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/adamw.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include "hwy/highway.h"
#include "kernels/adamw.h"
#include "kernels/cpu/grain.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void adamw_range(const AdamStep& step, float* HWY_RESTRICT gradient, float* HWY_RESTRICT m,
                 float* HWY_RESTRICT v, int64_t count) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto beta1 = hn::Set(d, static_cast<float>(step.beta1)), rest1 = hn::Set(d, step.rest1());
  const auto beta2 = hn::Set(d, static_cast<float>(step.beta2)), rest2 = hn::Set(d, step.rest2());
  const auto epsilon = hn::Set(d, step.epsilon), correction = hn::Set(d, step.correction);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::LoadU(d, gradient + i);
    const auto m_new = hn::MulAdd(beta1, hn::LoadU(d, m + i), hn::Mul(rest1, g));
    const auto v_new = hn::MulAdd(beta2, hn::LoadU(d, v + i), hn::Mul(rest2, hn::Mul(g, g)));
    hn::StoreU(m_new, d, m + i);
    hn::StoreU(v_new, d, v + i);
    hn::StoreU(hn::Mul(correction, hn::Div(m_new, hn::Add(hn::Sqrt(v_new), epsilon))), d, gradient + i);
  }
  for (; i < count; ++i) {
    const float g = gradient[i];
    m[i] = static_cast<float>(step.beta1) * m[i] + step.rest1() * g;
    v[i] = static_cast<float>(step.beta2) * v[i] + step.rest2() * (g * g);
    gradient[i] = step.correction * (m[i] / (std::sqrt(v[i]) + step.epsilon));
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(adamw_range);

void adamw_direction(const AdamStep& step, float* gradient, float* m, float* v, int64_t count) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(adamw_range)(step, gradient + begin, m + begin, v + begin, end - begin);
  });
}

}  // namespace galore::kernels::cpu
#endif
