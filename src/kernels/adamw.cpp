#include "kernels/adamw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

#include "core/errors.h"
#include "kernels/cpu/grain.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

void adamw_on_cpu(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  float* const values = gradient.mutable_data_ptr<float>();
  cpu::adamw_direction(step, values, values, m.mutable_data_ptr<float>(), v.mutable_data_ptr<float>(),
                       gradient.numel());
}

// For bf16: computes the direction in pieces that stay in the cache. The threads get the ranges that they get
// from adamw_direction(), because the last elements of a range may be rounded in another way.
void apply_in_pieces(const AdamDirection& direction, const WeightUpdate& update, at::BFloat16* weight) {
  constexpr int64_t kPiece = 2048;
  const float* const gradient = direction.gradient.const_data_ptr<float>();
  float* const m = direction.m.mutable_data_ptr<float>();
  float* const v = direction.v.mutable_data_ptr<float>();
  at::parallel_for(0, direction.gradient.numel(), cpu::kElementwiseGrain, [&](int64_t begin, int64_t end) {
    std::array<float, kPiece> piece;
    for (int64_t i = begin; i < end; i += kPiece) {
      const int64_t count = std::min(kPiece, end - i);
      cpu::adamw_direction(direction.step, gradient + i, piece.data(), m + i, v + i, count);
      cpu::apply_direction({update.factors(), piece.data(), nullptr}, weight + i, count);
    }
  });
}

void apply_composed(const AdamDirection& direction, const WeightUpdate& update, at::Tensor& weight) {
  at::Tensor computed = direction.gradient.clone(), m = direction.m, v = direction.v;
  adamw_direction(direction.step, computed, m, v);
  apply_direction(update, computed, weight);
}

// Random bits belong to places in the whole tensor, so stochastic rounding does not work in pieces.
void apply_on_cpu(const AdamDirection& direction, const WeightUpdate& update, at::Tensor& weight) {
  if (weight.scalar_type() == at::kFloat)
    return cpu::apply_adamw({direction.step, update.factors(), direction.gradient.const_data_ptr<float>(),
                             direction.m.mutable_data_ptr<float>(), direction.v.mutable_data_ptr<float>(),
                             weight.mutable_data_ptr<float>()},
                            weight.numel());
  if (weight.scalar_type() == at::kBFloat16 && !update.stochastic)
    return apply_in_pieces(direction, update, weight.mutable_data_ptr<at::BFloat16>());
  apply_composed(direction, update, weight);
}

const Operation<decltype(adamw_direction)> kAdamwDirection("adamw_direction",
                                                           {.cpu = adamw_on_cpu,
                                                            .cuda = cuda::adamw_direction,
                                                            .composed = composed::adamw_direction});
const Operation<decltype(apply_adamw)> kApplyAdamw("apply_adamw",
                                                   {.cpu = apply_on_cpu, .composed = apply_composed});

}  // namespace

void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  GALORE_ASSERT(gradient.is_contiguous() && m.is_contiguous() && v.is_contiguous());
  GALORE_ASSERT(gradient.numel() == m.numel() && gradient.numel() == v.numel());
  kAdamwDirection(gradient, step, gradient, m, v);
}

void apply_adamw(const AdamDirection& direction, const WeightUpdate& update, at::Tensor& weight) {
  GALORE_ASSERT(direction.gradient.is_contiguous() && direction.m.is_contiguous() &&
                direction.v.is_contiguous() && weight.is_contiguous());
  GALORE_ASSERT(direction.gradient.numel() == weight.numel() && direction.m.numel() == weight.numel());
  kApplyAdamw(weight, direction, update, weight);
}

namespace composed {

void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  m.mul_(step.beta1).add_(gradient, 1 - step.beta1);
  v.mul_(step.beta2).addcmul_(gradient, gradient, 1 - step.beta2);
  at::sqrt_out(gradient, v);
  gradient.add_(step.epsilon);
  at::div_out(gradient, m, gradient).mul_(step.correction);
}

}  // namespace composed
}  // namespace galore::kernels
