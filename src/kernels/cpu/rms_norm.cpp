#include <ATen/Parallel.h>
#include <hwy/cache_control.h>

#include <cmath>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#ifndef GALORE_RMS_NORM_ROW
#define GALORE_RMS_NORM_ROW
namespace galore::kernels::cpu {

// One token of the backward pass.
template <typename T>
struct RmsNormRow {
  T* x_gradient;           // n, added to
  float* weight_gradient;  // n, added to
  const T* gradient;
  const T* x;
  const float* weight;
  float inverse_rms;
};

}  // namespace galore::kernels::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rms_norm.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Rows are walked twice, and the memory would be idle while this happens in the cache. The processor
// prefetches by itself, but not beyond a page, so longer rows are prefetched explicitly. At 4096 features in
// bf16 the backward pass then takes half the time; at 768 it would take longer.
template <typename T>
HWY_INLINE bool asks_ahead(size_t n) {
  constexpr size_t kPage = 4096;
  return n * sizeof(T) >= kPage;
}

template <typename T>
float sum_of_squares(const T* x, size_t n) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  Float sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  for (size_t i = 0; i < n; i += 2 * lanes) {
    const Float a = load_some(d, x + i, n - i);
    sum0 = hn::MulAdd(a, a, sum0);
    if (i + lanes >= n) break;
    const Float b = load_some(d, x + i + lanes, n - i - lanes);
    sum1 = hn::MulAdd(b, b, sum1);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
}

template <typename T>
void scale_row(T* out, const T* x, const float* weight, float inverse_rms, size_t n) {
  const FloatTag d;
  const Float factor = hn::Set(d, inverse_rms);
  const bool ahead = asks_ahead<T>(n);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    if (ahead) {
      hwy::Prefetch(x + n + i);
      hwy::Prefetch(out + n + i);
    }
    const Float scaled = hn::Mul(load_some(d, x + i, n - i), factor);
    store_some(d, hn::Mul(scaled, load_some(d, weight + i, n - i)), out + i, n - i);
  }
}

template <typename T>
void backward_row(const RmsNormRow<T>& row, size_t n) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  const bool ahead = asks_ahead<T>(n);
  Float sum = hn::Zero(d);
  for (size_t i = 0; i < n; i += lanes) {
    if (ahead) hwy::Prefetch(row.x_gradient + i);
    const Float scaled = hn::Mul(load_some(d, row.gradient + i, n - i), load_some(d, row.weight + i, n - i));
    sum = hn::MulAdd(scaled, load_some(d, row.x + i, n - i), sum);
  }
  const float projection = hn::GetLane(hn::SumOfLanes(d, sum)) * row.inverse_rms / static_cast<float>(n);
  const Float factor = hn::Set(d, row.inverse_rms), share = hn::Set(d, projection);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = n - i;
    if (ahead) {
      hwy::Prefetch(row.gradient + n + i);
      hwy::Prefetch(row.x + n + i);
    }
    const Float dy = load_some(d, row.gradient + i, left);
    const Float normalized = hn::Mul(load_some(d, row.x + i, left), factor);
    const Float inner = hn::NegMulAdd(normalized, share, hn::Mul(dy, load_some(d, row.weight + i, left)));
    store_some(d, hn::MulAdd(inner, factor, load_some(d, row.x_gradient + i, left)), row.x_gradient + i,
               left);
    const Float sums = load_some(d, row.weight_gradient + i, left);
    store_some(d, hn::MulAdd(dy, normalized, sums), row.weight_gradient + i, left);
  }
}

float squares_f32(const float* x, size_t n) { return sum_of_squares(x, n); }
float squares_b16(const c10::BFloat16* x, size_t n) { return sum_of_squares(x, n); }
void scale_f32(float* out, const float* x, const float* w, float r, size_t n) { scale_row(out, x, w, r, n); }
void scale_b16(c10::BFloat16* out, const c10::BFloat16* x, const float* w, float r, size_t n) {
  scale_row(out, x, w, r, n);
}
void backward_f32(const RmsNormRow<float>& row, size_t n) { backward_row(row, n); }
void backward_b16(const RmsNormRow<c10::BFloat16>& row, size_t n) { backward_row(row, n); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(squares_f32);
HWY_EXPORT(squares_b16);
HWY_EXPORT(scale_f32);
HWY_EXPORT(scale_b16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_b16);

namespace {

constexpr int64_t kGrainNumbers = 1 << 15;

float squares(const float* x, size_t n) { return HWY_DYNAMIC_DISPATCH(squares_f32)(x, n); }
float squares(const at::BFloat16* x, size_t n) { return HWY_DYNAMIC_DISPATCH(squares_b16)(x, n); }
void scale(float* out, const float* x, const float* weight, float inverse_rms, size_t n) {
  HWY_DYNAMIC_DISPATCH(scale_f32)(out, x, weight, inverse_rms, n);
}
void scale(at::BFloat16* out, const at::BFloat16* x, const float* weight, float inverse_rms, size_t n) {
  HWY_DYNAMIC_DISPATCH(scale_b16)(out, x, weight, inverse_rms, n);
}
void backward(const RmsNormRow<float>& row, size_t n) { HWY_DYNAMIC_DISPATCH(backward_f32)(row, n); }
void backward(const RmsNormRow<at::BFloat16>& row, size_t n) { HWY_DYNAMIC_DISPATCH(backward_b16)(row, n); }

int64_t grain_rows(const at::Tensor& x) { return std::max<int64_t>(1, kGrainNumbers / x.size(1)); }

// If epsilon is null, inverse_rms is given.
bool normalize(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
               const at::Tensor& weight, const double* epsilon) {
  return with_element(x, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t n = x.size(1);
    T* to = data<T>(out);
    const T* from = data<T>(x);
    const float* factors = data<float>(weight);
    float* rms = data<float>(inverse_rms);
    at::parallel_for(0, x.size(0), grain_rows(x), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* values = from + row * n;
        const auto features = static_cast<size_t>(n);
        if (epsilon) {
          rms[row] = static_cast<float>(1 / std::sqrt(squares(values, features) / double(n) + *epsilon));
        }
        scale(to + row * n, values, factors, rms[row], features);
      }
    });
  });
}

}  // namespace

bool rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon) {
  return normalize(out, inverse_rms, x, weight, &epsilon);
}

bool rms_norm_recompute(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                        const at::Tensor& weight) {
  return normalize(out, inverse_rms, x, weight, nullptr);
}

bool rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& partial, const at::Tensor& gradient,
                       const RmsNormInputs& inputs) {
  return with_element(gradient, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t tokens = gradient.size(0), n = gradient.size(1), groups = partial.size(0);
    const int64_t group_tokens = (tokens + groups - 1) / groups;
    partial.zero_();
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      const int64_t last = std::min(tokens, end * group_tokens);
      for (int64_t token = begin * group_tokens; token < last; ++token) {
        const RmsNormRow<T> row{
            data<T>(x_gradient) + token * n, data<float>(partial) + token / group_tokens * n,
            data<T>(gradient) + token * n,   data<T>(inputs.x) + token * n,
            data<float>(inputs.weight),      data<float>(inputs.inverse_rms)[token]};
        backward(row, static_cast<size_t>(n));
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
