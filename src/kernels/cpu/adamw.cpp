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

using FloatTag = hn::ScalableTag<float>;
using Float = hn::Vec<FloatTag>;

// Keeps the direction.
struct Store {
  float* direction;
  HWY_INLINE void take(FloatTag d, int64_t i, Float x) const { hn::StoreU(x, d, direction + i); }
  HWY_INLINE void take_one(FloatTag, int64_t i, float x) const { direction[i] = x; }
};

// Writes it to the weight, with the arithmetic of apply_direction().
struct Apply {
  float* weight;
  formulas::UpdateFactors factors;
  HWY_INLINE Float updated(FloatTag d, Float before, Float direction) const {
    const Float decayed = hn::Mul(before, hn::Set(d, factors.before));
    return hn::Mul(hn::NegMulAdd(hn::Set(d, factors.rate), direction, decayed), hn::Set(d, factors.after));
  }
  HWY_INLINE void take(FloatTag d, int64_t i, Float x) const {
    hn::StoreU(updated(d, hn::LoadU(d, weight + i), x), d, weight + i);
  }
  HWY_INLINE void take_one(FloatTag d, int64_t i, float x) const {
    weight[i] = hn::GetLane(updated(d, hn::Set(d, weight[i]), hn::Set(d, x)));
  }
};

template <typename Sink>
HWY_INLINE void update_moments(const AdamStep& step, const float* gradient, const Sink& sink,
                               float* HWY_RESTRICT m, float* HWY_RESTRICT v, int64_t count) {
  const FloatTag d;
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
    sink.take(d, i, hn::Mul(correction, hn::Div(m_new, hn::Add(hn::Sqrt(v_new), epsilon))));
  }
  for (; i < count; ++i) {
    const float g = gradient[i];
    m[i] = static_cast<float>(step.beta1) * m[i] + step.rest1() * g;
    v[i] = static_cast<float>(step.beta2) * v[i] + step.rest2() * (g * g);
    sink.take_one(d, i, step.correction * (m[i] / (std::sqrt(v[i]) + step.epsilon)));
  }
}

void direction_range(const AdamStep& step, const float* gradient, float* direction, float* m, float* v,
                     int64_t count) {
  update_moments(step, gradient, Store{direction}, m, v, count);
}

void apply_range(const AdamUpdate& update, int64_t begin, int64_t end) {
  update_moments(update.step, update.gradient + begin, Apply{update.weight + begin, update.factors},
                 update.m + begin, update.v + begin, end - begin);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(direction_range);
HWY_EXPORT(apply_range);

void adamw_direction(const AdamStep& step, const float* gradient, float* direction, float* m, float* v,
                     int64_t count) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(direction_range)
    (step, gradient + begin, direction + begin, m + begin, v + begin, end - begin);
  });
}

void apply_adamw(const AdamUpdate& update, int64_t count) {
  at::parallel_for(0, count, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(apply_range)(update, begin, end);
  });
}

}  // namespace galore::kernels::cpu
#endif
