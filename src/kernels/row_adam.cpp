#include "kernels/row_adam.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

void row_adam_on_cpu(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  cpu::row_adam_direction(step, {gradient.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(),
                                 v.mutable_data_ptr<float>(), gradient.size(0), gradient.size(1)});
}

const Operation<decltype(row_adam_direction)> kRowAdam("row_adam_direction",
                                                       {.cpu = row_adam_on_cpu,
                                                        .composed = composed::row_adam_direction});

}  // namespace

void row_adam_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  GALORE_ASSERT(gradient.is_contiguous() && m.is_contiguous() && v.is_contiguous());
  GALORE_ASSERT(gradient.dim() == 2 && m.sizes() == gradient.sizes() && v.numel() == gradient.size(0));
  kRowAdam(gradient, step, gradient, m, v);
}

namespace composed {

void row_adam_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  m.mul_(step.beta1).add_(gradient, 1 - step.beta1);
  v.mul_(step.beta2).add_(gradient.square().mean(1).view(v.sizes()), 1 - step.beta2);
  gradient.copy_(m / (v.sqrt() + step.epsilon).view({-1, 1}) * step.correction);
}

}  // namespace composed
}  // namespace galore::kernels
