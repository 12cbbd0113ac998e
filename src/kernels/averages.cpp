#include "kernels/averages.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore::kernels {
namespace {

template <typename Task>
void update_pair(const at::Tensor& average, const at::Tensor& gradient, const Task& task,
                 void (*composed)(const at::Tensor&, const at::Tensor&, const Task&),
                 void (*fast)(float*, float*, int64_t, const Task&)) {
  GALORE_ASSERT(average.is_contiguous() && gradient.is_contiguous() && average.numel() == gradient.numel());
  if (average.is_meta()) return;
  if (!average.is_cpu()) return composed(average, gradient, task);
  fast(average.mutable_data_ptr<float>(), gradient.mutable_data_ptr<float>(), average.numel(), task);
}

}  // namespace

void average_gradient(const at::Tensor& average, const at::Tensor& gradient, const Averaging& averaging) {
  update_pair(average, gradient, averaging, composed::average_gradient, cpu::average_gradient);
}

void scale_by_root(const at::Tensor& average, const at::Tensor& gradient, const RootScaling& scaling) {
  update_pair(average, gradient, scaling, composed::scale_by_root, cpu::scale_by_root);
}

namespace composed {

void average_gradient(const at::Tensor& average, const at::Tensor& gradient, const Averaging& averaging) {
  average.mul_(averaging.kept).add_(gradient, averaging.entering);
  if (!averaging.ahead) return void(gradient.copy_(average));
  gradient.mul_(averaging.ahead_entering).add_(average, averaging.kept);
}

void scale_by_root(const at::Tensor& average, const at::Tensor& gradient, const RootScaling& scaling) {
  average.mul_(scaling.kept).addcmul_(gradient, gradient, 1 - scaling.kept);
  gradient.div_(average.sqrt().add_(scaling.epsilon));
}

}  // namespace composed
}  // namespace galore::kernels
