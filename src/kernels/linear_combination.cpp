#include "kernels/linear_combination.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore::kernels {
namespace {

void check(const at::Tensor& a, const at::Tensor& b) {
  GALORE_ASSERT(a.is_contiguous() && b.is_contiguous() && a.numel() == b.numel());
}

}  // namespace

void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
             const Combination& combination) {
  check(out, x);
  check(out, y);
  if (out.is_meta()) return;
  if (!out.is_cpu()) return composed::combine(out, x, y, combination);
  cpu::combine({out.mutable_data_ptr<float>(), x.const_data_ptr<float>(), y.const_data_ptr<float>()},
               out.numel(), combination);
}

void average_gradient(const at::Tensor& average, const at::Tensor& gradient, double momentum, bool ahead) {
  check(average, gradient);
  if (average.is_meta()) return;
  if (!average.is_cpu()) return composed::average_gradient(average, gradient, momentum, ahead);
  cpu::average_gradient(average.mutable_data_ptr<float>(), gradient.mutable_data_ptr<float>(),
                        average.numel(), momentum, ahead);
}

namespace composed {

void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
             const Combination& combination) {
  const at::Tensor sum = x * combination.a + y * combination.b;
  out.copy_(combination.rounded == Rounded::no ? sum : sum.to(at::kBFloat16));
}

void average_gradient(const at::Tensor& average, const at::Tensor& gradient, double momentum, bool ahead) {
  average.mul_(momentum).add_(gradient, 1 - momentum);
  ahead ? gradient.mul_(1 - momentum).add_(average, momentum) : gradient.copy_(average);
}

}  // namespace composed
}  // namespace galore::kernels
