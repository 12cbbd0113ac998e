#include "kernels/value_loss.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#ifndef GALORE_VALUE_LOSS_ROW
#define GALORE_VALUE_LOSS_ROW
namespace galore::kernels::cpu {

struct RowLoss {
  double loss = 0, entropy = 0;
};

}  // namespace galore::kernels::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/value_loss.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/exponential-inl.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

HWY_INLINE float total(FloatTag d, Float sum) { return hn::GetLane(hn::SumOfLanes(d, sum)); }

HWY_INLINE float largest_of(const float* x, size_t n) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d), whole = n / lanes * lanes;
  Float top = hn::Set(d, x[0]);
  for (size_t i = 0; i < whole; i += lanes) top = hn::Max(top, load(d, x + i));
  float result = hn::GetLane(hn::MaxOfLanes(d, top));
  for (size_t i = whole; i < n; ++i) result = std::max(result, x[i]);
  return result;
}

// Cross entropy between softmax(x) and the probabilities p. Then x becomes scale * (softmax(x) - p), unless
// scale is null.
RowLoss categorical_row(float* x, const float* p, size_t n, const double* scale) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  const float top = largest_of(x, n);
  const Float shift = hn::Set(d, top);
  Float sum = hn::Zero(d), dot = sum, entropy = sum;
  for (size_t i = 0; i < n; i += lanes) {
    const Float lower = hn::Sub(load_some(d, x + i, n - i), shift), share = load_some(d, p + i, n - i);
    const Float e = exponential(d, lower);
    sum = hn::Add(sum, i + lanes <= n ? e : hn::IfThenElseZero(hn::FirstN(d, n - i), e));
    // A logit of minus infinity is no fault where the target has no mass.
    const auto counts = hn::Gt(share, hn::Zero(d));
    dot = hn::Add(dot, hn::IfThenElseZero(counts, hn::Mul(share, lower)));
    entropy = hn::Sub(entropy, hn::IfThenElseZero(counts, hn::Mul(share, hn::Log(d, share))));
    if (scale) store_some(d, e, x + i, n - i);
  }
  const double exponentials = total(d, sum);
  if (scale) {
    const Float factor = hn::Set(d, static_cast<float>(*scale / exponentials));
    const Float minus = hn::Set(d, static_cast<float>(*scale));
    for (size_t i = 0; i < n; i += lanes) {
      const Float target = hn::Mul(load_some(d, p + i, n - i), minus);
      store_some(d, hn::MulSub(load_some(d, x + i, n - i), factor, target), x + i, n - i);
    }
  }
  return {std::log(exponentials) - total(d, dot), total(d, entropy)};
}

// Adds the quantile Huber loss of one target to the sum that is returned, and its derivatives to slopes.
double quantile_row(const float* x, double target, double kappa, size_t n, float* slopes) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  const Float y = hn::Set(d, static_cast<float>(target)), bound = hn::Set(d, static_cast<float>(kappa));
  const Float step = hn::Set(d, 1 / static_cast<float>(n)), half = hn::Set(d, 0.5f);
  Float sum = hn::Zero(d);
  for (size_t i = 0; i < n; i += lanes) {
    const Float u = hn::Sub(y, load_some(d, x + i, n - i));
    const Float share = hn::Mul(hn::Add(hn::Iota(d, static_cast<float>(i)), half), step);
    const Float weight = hn::Abs(hn::Sub(share, hn::IfThenElseZero(hn::Lt(u, hn::Zero(d)), hn::Set(d, 1))));
    const Float inner = hn::Max(hn::Neg(bound), hn::Min(u, bound));
    const Float slope = hn::Div(hn::Mul(weight, inner), bound);
    const Float loss = hn::Mul(slope, hn::NegMulAdd(inner, half, u));
    sum = hn::Add(sum, i + lanes <= n ? loss : hn::IfThenElseZero(hn::FirstN(d, n - i), loss));
    store_some(d, hn::Sub(load_some(d, slopes + i, n - i), slope), slopes + i, n - i);
  }
  return total(d, sum);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(categorical_row);
HWY_EXPORT(quantile_row);

namespace {

constexpr int64_t kGrainOutputs = 1 << 13;

// Fills p with a Gaussian's mass in each bin. At 6 times sqrt(2) sigma the error function is 1 in fp64, so
// bins farther away have no mass. erfc keeps the relative precision that a difference of erf would lose.
void fill_gaussian(const ValueSupport& support, double number, std::span<float> p) {
  const double bins = static_cast<double>(p.size()), width = (support.v_max - support.v_min) / bins;
  const double place = (std::clamp(number, support.v_min, support.v_max) - support.v_min) / width;
  const double scale = 1 / (std::sqrt(2.0) * support.sigma_ratio), reach = 6 / scale + 1;
  const auto begin = static_cast<size_t>(std::max(0.0, std::floor(place - reach)));
  const auto end = static_cast<size_t>(std::min(bins, std::ceil(place + reach)));
  const auto tail = [&](double edge) { return std::erfc(std::abs(edge - place) * scale); };
  double sum = 0, before = tail(static_cast<double>(begin));
  std::vector<double> mass(end - begin);
  for (size_t i = begin; i < end; ++i) {
    const double edge = static_cast<double>(i), after = tail(edge + 1);
    const bool holds_number = edge < place && place < edge + 1;
    sum += mass[i - begin] = holds_number ? 2 - before - after : std::abs(before - after);
    before = after;
  }
  std::fill(p.begin(), p.end(), 0.0f);
  for (size_t i = begin; i < end; ++i) p[i] = static_cast<float>(mass[i - begin] / sum);
}

void fill_two_hot(const ValueSupport& support, double number, std::span<float> p) {
  const double last = static_cast<double>(p.size() - 1);
  const double inside = std::clamp(number, support.v_min, support.v_max);
  const double place = (inside - support.v_min) / (support.v_max - support.v_min) * last;
  const double lower = std::min(std::floor(place), last - 1);
  std::fill(p.begin(), p.end(), 0.0f);
  p[static_cast<size_t>(lower)] = static_cast<float>(1 - (place - lower));
  p[static_cast<size_t>(lower) + 1] = static_cast<float>(place - lower);
}

// Returns the loss of one row. `room` holds as many floats as the row.
RowLoss loss_of_row(std::span<float> x, std::span<const double> target, const ValueSupport& support,
                    const double* scale, std::span<float> room) {
  if (support.loss == ValueLoss::mse) {
    const double difference = static_cast<double>(x[0]) - target[0];
    if (scale) x[0] = static_cast<float>(2 * *scale * difference);
    return {difference * difference, 0};
  }
  if (support.loss == ValueLoss::quantile) {
    std::fill(room.begin(), room.end(), 0.0f);
    RowLoss sum;
    const double samples = static_cast<double>(target.size());
    for (const double number : target)
      sum.loss += HWY_DYNAMIC_DISPATCH(quantile_row)(x.data(), number, support.kappa, x.size(), room.data()) /
                  samples;
    for (size_t i = 0; scale && i < x.size(); ++i)
      x[i] = static_cast<float>(*scale / samples * static_cast<double>(room[i]));
    return sum;
  }
  if (target.size() > 1)
    std::transform(target.begin(), target.end(), room.begin(),
                   [](double p) { return static_cast<float>(p); });
  else if (support.loss == ValueLoss::hl_gauss)
    fill_gaussian(support, target[0], room);
  else
    fill_two_hot(support, target[0], room);
  return HWY_DYNAMIC_DISPATCH(categorical_row)(x.data(), room.data(), x.size(), scale);
}

}  // namespace

void value_loss(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                const ValueSupport& support, std::optional<double> gradient_scale) {
  const auto n = static_cast<size_t>(logits.size(1)), k = static_cast<size_t>(targets.size(1));
  float* x = data<float>(logits);
  const double* target = data<double>(targets);
  const int64_t grain = std::max<int64_t>(1, kGrainOutputs / logits.size(1));
  at::parallel_for(0, logits.size(0), grain, [&](int64_t begin, int64_t end) {
    std::vector<float> room(n);
    for (int64_t row = begin; row < end; ++row) {
      const std::span<float> outputs(x + static_cast<size_t>(row) * n, n);
      const std::span<const double> numbers(target + static_cast<size_t>(row) * k, k);
      RowLoss result;
      if (!std::isnan(numbers[0]))
        result = loss_of_row(outputs, numbers, support, gradient_scale ? &*gradient_scale : nullptr, room);
      else if (gradient_scale)
        std::fill(outputs.begin(), outputs.end(), 0.0f);
      data<double>(out.losses)[row] = result.loss;
      data<double>(out.entropies)[row] = result.entropy;
    }
  });
}

}  // namespace galore::kernels::cpu
#endif
