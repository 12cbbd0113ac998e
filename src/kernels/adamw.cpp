#include "kernels/adamw.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore::kernels {

void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  GALORE_ASSERT(gradient.is_contiguous() && m.is_contiguous() && v.is_contiguous());
  GALORE_ASSERT(gradient.numel() == m.numel() && gradient.numel() == v.numel());
  if (gradient.is_meta()) return;
  if (gradient.is_cuda()) return cuda::adamw_direction(step, gradient, m, v);
  if (!gradient.is_cpu()) return composed::adamw_direction(step, gradient, m, v);
  cpu::adamw_direction(step, gradient.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(),
                       v.mutable_data_ptr<float>(), gradient.numel());
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
