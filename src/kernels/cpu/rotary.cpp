#include <ATen/Parallel.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rotary.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// One head of one token; sign -1 rotates back.
template <typename T>
void rotate_head(T* x, const float* cosine, const float* sine, float sign, size_t half) {
  const FloatTag d;
  const Float direction = hn::Set(d, sign);
  for (size_t i = 0; i < half; i += hn::Lanes(d)) {
    const size_t left = half - i;
    const Float a = load_some(d, x + i, left), b = load_some(d, x + half + i, left);
    const Float c = load_some(d, cosine + i, left), s = hn::Mul(load_some(d, sine + i, left), direction);
    store_some(d, hn::NegMulAdd(b, s, hn::Mul(a, c)), x + i, left);
    store_some(d, hn::MulAdd(a, s, hn::Mul(b, c)), x + half + i, left);
  }
}

void rotate_f32(float* x, const float* c, const float* s, float sign, size_t n) {
  rotate_head(x, c, s, sign, n);
}
void rotate_b16(c10::BFloat16* x, const float* c, const float* s, float sign, size_t n) {
  rotate_head(x, c, s, sign, n);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(rotate_f32);
HWY_EXPORT(rotate_b16);

namespace {

void call(float* x, const float* cosine, const float* sine, float sign, size_t half) {
  HWY_DYNAMIC_DISPATCH(rotate_f32)(x, cosine, sine, sign, half);
}
void call(at::BFloat16* x, const float* cosine, const float* sine, float sign, size_t half) {
  HWY_DYNAMIC_DISPATCH(rotate_b16)(x, cosine, sine, sign, half);
}

}  // namespace

bool rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse) {
  return with_element(x, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t length = x.size(1), heads = x.size(2), half = x.size(3) / 2;
    at::parallel_for(0, x.size(0) * length, 32, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        const int64_t table_row = token % length * half;
        for (int64_t head = token * heads; head < (token + 1) * heads; ++head) {
          call(data<T>(x) + head * 2 * half, data<float>(cosine) + table_row, data<float>(sine) + table_row,
               inverse ? -1.0f : 1.0f, static_cast<size_t>(half));
        }
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
