#include "kernels/cross_entropy.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/cross_entropy.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/exponential-inl.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

template <typename T>
float largest(const T* x, size_t n) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d), whole = n / lanes * lanes;
  Float top = hn::Set(d, static_cast<float>(x[0]));
  for (size_t i = 0; i < whole; i += lanes) top = hn::Max(top, load(d, x + i));
  float result = hn::GetLane(hn::MaxOfLanes(d, top));
  for (size_t i = whole; i < n; ++i) result = std::max(result, static_cast<float>(x[i]));
  return result;
}

// Returns the sum of exp(x - top). The missing lanes of the tail hold zeros, which the mask removes again.
// Writes the exponentials to `kept` unless it is null.
template <typename T>
float sum_of_exponentials(const T* x, float top, size_t n, float* kept) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  const Float shift = hn::Set(d, top);
  Float sum = hn::Zero(d);
  for (size_t i = 0; i < n; i += lanes) {
    const Float e = exponential(d, hn::Sub(load_some(d, x + i, n - i), shift));
    sum = hn::Add(sum, i + lanes <= n ? e : hn::IfThenElseZero(hn::FirstN(d, n - i), e));
    if (kept) store_some(d, e, kept + i, n - i);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// Computes x = exp(x - top) * factor. fp32 logits were replaced by their exponentials; bf16 is not exact
// enough for that.
HWY_INLINE Float exponential_of(FloatTag, Float kept, Float, const float*) { return kept; }
HWY_INLINE Float exponential_of(FloatTag d, Float x, Float shift, const c10::BFloat16*) {
  return exponential(d, hn::Sub(x, shift));
}
template <typename T>
void scaled_exponentials(T* x, float top, float factor, size_t n) {
  const FloatTag d;
  const Float shift = hn::Set(d, top), scale = hn::Set(d, factor);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const Float e = exponential_of(d, load_some(d, x + i, n - i), shift, x);
    store_some(d, hn::Mul(e, scale), x + i, n - i);
  }
}

HWY_INLINE float* place_of_exponentials(float* x) { return x; }
HWY_INLINE float* place_of_exponentials(c10::BFloat16*) { return nullptr; }

// Returns the loss of one token. The logits become scale * (softmax - one_hot(label)), unless scale is null.
template <typename T>
double token_loss(T* x, size_t n, int64_t label, const double* scale) {
  const float top = largest(x, n), at_label = static_cast<float>(x[label]);
  const double sum = sum_of_exponentials(x, top, n, scale ? place_of_exponentials(x) : nullptr);
  if (scale) {
    const double share = std::exp(static_cast<double>(at_label) - top) / sum;
    scaled_exponentials(x, top, static_cast<float>(*scale / sum), n);
    x[label] = static_cast<T>(static_cast<float>((share - 1) * *scale));
  }
  return std::log(sum) + top - at_label;
}

double loss_f32(float* x, size_t n, int64_t label, const double* scale) {
  return token_loss(x, n, label, scale);
}
double loss_b16(c10::BFloat16* x, size_t n, int64_t label, const double* scale) {
  return token_loss(x, n, label, scale);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(loss_f32);
HWY_EXPORT(loss_b16);

namespace {

double call(float* x, size_t n, int64_t label, const double* scale) {
  return HWY_DYNAMIC_DISPATCH(loss_f32)(x, n, label, scale);
}
double call(at::BFloat16* x, size_t n, int64_t label, const double* scale) {
  return HWY_DYNAMIC_DISPATCH(loss_b16)(x, n, label, scale);
}

}  // namespace

bool cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   const double* gradient_scale) {
  return with_element(logits, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t vocabulary = logits.size(1);
    at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        T* row = data<T>(logits) + token * vocabulary;
        const int64_t label = data<int64_t>(labels)[token];
        const bool ignored = label == kIgnoredLabel;
        if (ignored && gradient_scale) std::fill(row, row + vocabulary, T(0.0f));
        data<double>(losses)[token] =
            ignored ? 0 : call(row, static_cast<size_t>(vocabulary), label, gradient_scale);
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
