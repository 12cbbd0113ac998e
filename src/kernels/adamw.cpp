#include "kernels/adamw.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

void adamw_on_cpu(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  cpu::adamw_direction(step, gradient.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(),
                       v.mutable_data_ptr<float>(), gradient.numel());
}

const Operation<decltype(adamw_direction)> kAdamwDirection("adamw_direction",
                                                           {.cpu = adamw_on_cpu,
                                                            .cuda = cuda::adamw_direction,
                                                            .composed = composed::adamw_direction});

}  // namespace

void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  GALORE_ASSERT(gradient.is_contiguous() && m.is_contiguous() && v.is_contiguous());
  GALORE_ASSERT(gradient.numel() == m.numel() && gradient.numel() == v.numel());
  kAdamwDirection(gradient, step, gradient, m, v);
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
