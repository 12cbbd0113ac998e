#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#ifndef GALORE_LAYER_NORM_ROW
#define GALORE_LAYER_NORM_ROW
namespace galore::kernels::cpu {

// One token of the backward pass.
template <typename T>
struct LayerNormRow {
  T* x_gradient;                           // n, added to
  float *weight_gradient, *bias_gradient;  // n, added to
  const T* gradient;
  const T* x;
  const float *weight, *statistics;
};

struct AffineRow {
  const float *weight, *bias, *statistics;
};

}  // namespace galore::kernels::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/layer_norm.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Computes the mean and the sum of squared deviations from it in two walks, because a single walk would
// cancel digits.
template <typename T>
void measure_row(float* mean_and_squares, const T* x, size_t n) {
  const FloatTag d;
  Float sum = hn::Zero(d);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) sum = hn::Add(sum, load_some(d, x + i, n - i));
  const float mean = hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(n);
  const Float center = hn::Set(d, mean);
  Float squares = hn::Zero(d);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto inside = hn::FirstN(d, std::min(n - i, hn::Lanes(d)));
    const Float deviation = hn::IfThenElseZero(inside, hn::Sub(load_some(d, x + i, n - i), center));
    squares = hn::MulAdd(deviation, deviation, squares);
  }
  mean_and_squares[0] = mean;
  mean_and_squares[1] = hn::GetLane(hn::SumOfLanes(d, squares));
}

template <typename T>
void affine_row(T* out, const T* x, const AffineRow& row, size_t n) {
  const FloatTag d;
  const Float mean = hn::Set(d, row.statistics[0]), factor = hn::Set(d, row.statistics[1]);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const size_t left = n - i;
    const Float unit = hn::Mul(hn::Sub(load_some(d, x + i, left), mean), factor);
    const Float y = hn::MulAdd(unit, load_some(d, row.weight + i, left), load_some(d, row.bias + i, left));
    store_some(d, y, out + i, left);
  }
}

template <typename T>
void backward_row(const LayerNormRow<T>& row, size_t n) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  const Float mean = hn::Set(d, row.statistics[0]), factor = hn::Set(d, row.statistics[1]);
  Float sum = hn::Zero(d), projection = hn::Zero(d);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = n - i;
    const Float scaled = hn::Mul(load_some(d, row.gradient + i, left), load_some(d, row.weight + i, left));
    const Float unit = hn::Mul(hn::Sub(load_some(d, row.x + i, left), mean), factor);
    sum = hn::Add(sum, scaled);
    projection = hn::MulAdd(scaled, unit, projection);  // `scaled` is zero beyond the row
  }
  const auto count = static_cast<float>(n);
  const Float shift = hn::Set(d, hn::GetLane(hn::SumOfLanes(d, sum)) / count);
  const Float share = hn::Set(d, hn::GetLane(hn::SumOfLanes(d, projection)) / count);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = n - i;
    const Float dy = load_some(d, row.gradient + i, left);
    const Float unit = hn::Mul(hn::Sub(load_some(d, row.x + i, left), mean), factor);
    const Float centered = hn::Sub(hn::Mul(dy, load_some(d, row.weight + i, left)), shift);
    const Float inner = hn::NegMulAdd(unit, share, centered);
    store_some(d, hn::MulAdd(inner, factor, load_some(d, row.x_gradient + i, left)), row.x_gradient + i,
               left);
    const Float weights = load_some(d, row.weight_gradient + i, left);
    store_some(d, hn::MulAdd(dy, unit, weights), row.weight_gradient + i, left);
    store_some(d, hn::Add(dy, load_some(d, row.bias_gradient + i, left)), row.bias_gradient + i, left);
  }
}

void measure_f32(float* out, const float* x, size_t n) { measure_row(out, x, n); }
void measure_b16(float* out, const c10::BFloat16* x, size_t n) { measure_row(out, x, n); }
void affine_f32(float* out, const float* x, const AffineRow& row, size_t n) { affine_row(out, x, row, n); }
void affine_b16(c10::BFloat16* out, const c10::BFloat16* x, const AffineRow& row, size_t n) {
  affine_row(out, x, row, n);
}
void backward_f32(const LayerNormRow<float>& row, size_t n) { backward_row(row, n); }
void backward_b16(const LayerNormRow<c10::BFloat16>& row, size_t n) { backward_row(row, n); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(measure_f32);
HWY_EXPORT(measure_b16);
HWY_EXPORT(affine_f32);
HWY_EXPORT(affine_b16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_b16);

namespace {

constexpr int64_t kGrainNumbers = 1 << 15;

void measure(float* out, const float* x, size_t n) { HWY_DYNAMIC_DISPATCH(measure_f32)(out, x, n); }
void measure(float* out, const at::BFloat16* x, size_t n) { HWY_DYNAMIC_DISPATCH(measure_b16)(out, x, n); }
void affine(float* out, const float* x, const AffineRow& row, size_t n) {
  HWY_DYNAMIC_DISPATCH(affine_f32)(out, x, row, n);
}
void affine(at::BFloat16* out, const at::BFloat16* x, const AffineRow& row, size_t n) {
  HWY_DYNAMIC_DISPATCH(affine_b16)(out, x, row, n);
}
void backward(const LayerNormRow<float>& row, size_t n) { HWY_DYNAMIC_DISPATCH(backward_f32)(row, n); }
void backward(const LayerNormRow<at::BFloat16>& row, size_t n) { HWY_DYNAMIC_DISPATCH(backward_b16)(row, n); }

// Calls call(row) for every row of x, in parallel.
template <typename Call>
void for_rows(const at::Tensor& x, const Call& call) {
  const int64_t grain = std::max<int64_t>(1, kGrainNumbers / x.size(1));
  at::parallel_for(0, x.size(0), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) call(row);
  });
}

}  // namespace

bool layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon) {
  return with_element(x, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t n = x.size(1);
    float* out = data<float>(statistics);
    const T* from = data<T>(x);
    for_rows(x, [&](int64_t row) {
      float* result = out + 2 * row;
      measure(result, from + row * n, static_cast<size_t>(n));
      result[1] = static_cast<float>(1 / std::sqrt(double{result[1]} / static_cast<double>(n) + epsilon));
    });
  });
}

bool layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias) {
  return with_element(out, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t n = out.size(1);
    T* to = data<T>(out);
    const T* from = data<T>(inputs.x);
    const float *weight = data<float>(inputs.weight), *shift = data<float>(bias),
                *statistics = data<float>(inputs.statistics);
    for_rows(out, [&](int64_t row) {
      affine(to + row * n, from + row * n, {weight, shift, statistics + 2 * row}, static_cast<size_t>(n));
    });
  });
}

bool layer_norm_backward(const at::Tensor& x_gradient, const at::Tensor& partial, const at::Tensor& gradient,
                         const LayerNormInputs& inputs) {
  return with_element(gradient, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t tokens = gradient.size(0), n = gradient.size(1), groups = partial.size(1);
    const int64_t group_tokens = (tokens + groups - 1) / groups;
    partial.zero_();
    float *weights = data<float>(partial), *biases = weights + groups * n;
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      const int64_t last = std::min(tokens, end * group_tokens);
      for (int64_t token = begin * group_tokens; token < last; ++token) {
        const int64_t group = token / group_tokens;
        const LayerNormRow<T> row{data<T>(x_gradient) + token * n,
                                  weights + group * n,
                                  biases + group * n,
                                  data<T>(gradient) + token * n,
                                  data<T>(inputs.x) + token * n,
                                  data<float>(inputs.weight),
                                  data<float>(inputs.statistics) + 2 * token};
        backward(row, static_cast<size_t>(n));
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
