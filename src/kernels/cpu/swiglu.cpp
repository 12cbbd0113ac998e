#include <ATen/Parallel.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/swiglu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Computes 1 / (1 + exp(-x)). The exponential is defined only up to about 104; below x = -88 the result is at
// most 6e-39.
HWY_INLINE Float sigmoid(FloatTag d, Float x) {
  const Float one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)))));
}

template <typename T>
void forward(T* out, const T* gate, const T* up, size_t count) {
  const FloatTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const Float g = load_some(d, gate + i, count - i), u = load_some(d, up + i, count - i);
    store_some(d, hn::Mul(hn::Mul(g, sigmoid(d, g)), u), out + i, count - i);
  }
}

template <typename T>
void backward(T* gate, T* up, T* product, size_t count) {
  const FloatTag d;
  const Float one = hn::Set(d, 1.0f);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const size_t left = count - i;
    const Float g = load_some(d, gate + i, left), u = load_some(d, up + i, left);
    const Float gradient = load_some(d, product + i, left);
    const Float share = sigmoid(d, g), silu = hn::Mul(g, share);
    const Float slope = hn::MulAdd(silu, hn::Sub(one, share), share);
    store_some(d, hn::Mul(silu, u), product + i, left);
    store_some(d, hn::Mul(gradient, silu), up + i, left);
    store_some(d, hn::Mul(hn::Mul(gradient, u), slope), gate + i, left);
  }
}

void forward_f32(float* out, const float* gate, const float* up, size_t n) { forward(out, gate, up, n); }
void forward_b16(c10::BFloat16* out, const c10::BFloat16* gate, const c10::BFloat16* up, size_t n) {
  forward(out, gate, up, n);
}
void backward_f32(float* gate, float* up, float* product, size_t n) { backward(gate, up, product, n); }
void backward_b16(c10::BFloat16* gate, c10::BFloat16* up, c10::BFloat16* product, size_t n) {
  backward(gate, up, product, n);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_b16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_b16);

namespace {

constexpr int64_t kGrain = 1 << 13;

void call(float* out, const float* gate, const float* up, size_t n) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(out, gate, up, n);
}
void call(at::BFloat16* out, const at::BFloat16* gate, const at::BFloat16* up, size_t n) {
  HWY_DYNAMIC_DISPATCH(forward_b16)(out, gate, up, n);
}
void call_backward(float* gate, float* up, float* product, size_t n) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(gate, up, product, n);
}
void call_backward(at::BFloat16* gate, at::BFloat16* up, at::BFloat16* product, size_t n) {
  HWY_DYNAMIC_DISPATCH(backward_b16)(gate, up, product, n);
}

}  // namespace

bool swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up) {
  return with_element(out, [&](auto* element) {
    using T = Element<decltype(element)>;
    at::parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
      call(data<T>(out) + begin, data<T>(gate) + begin, data<T>(up) + begin,
           static_cast<size_t>(end - begin));
    });
  });
}

bool swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product) {
  return with_element(gate, [&](auto* element) {
    using T = Element<decltype(element)>;
    at::parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
      call_backward(data<T>(gate) + begin, data<T>(up) + begin, data<T>(product) + begin,
                    static_cast<size_t>(end - begin));
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
