#include "kernels/averages.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

template <auto kernel, typename Task>
void update_pair(const at::Tensor& average, const at::Tensor& gradient, const Task& task) {
  kernel(average.mutable_data_ptr<float>(), gradient.mutable_data_ptr<float>(), average.numel(), task);
}

const Operation<decltype(average_gradient)> kAverageGradient(
    "average_gradient",
    {.cpu = update_pair<cpu::average_gradient, Averaging>, .composed = composed::average_gradient});
const Operation<decltype(scale_by_root)> kScaleByRoot("scale_by_root",
                                                      {.cpu = update_pair<cpu::scale_by_root, RootScaling>,
                                                       .composed = composed::scale_by_root});

void check_pair(const at::Tensor& average, const at::Tensor& gradient) {
  GALORE_ASSERT(average.is_contiguous() && gradient.is_contiguous() && average.numel() == gradient.numel());
}

}  // namespace

void average_gradient(const at::Tensor& average, const at::Tensor& gradient, const Averaging& averaging) {
  check_pair(average, gradient);
  kAverageGradient(average, average, gradient, averaging);
}

void scale_by_root(const at::Tensor& average, const at::Tensor& gradient, const RootScaling& scaling) {
  check_pair(average, gradient);
  kScaleByRoot(average, average, gradient, scaling);
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
