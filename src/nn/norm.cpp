#include "nn/norm.h"

#include "kernels/convert.h"
#include "kernels/rms_norm.h"

namespace galore {
namespace {

at::Tensor in_fp32(const Parameter& weight, const Pass& pass) {
  return converted(weight.value, at::kFloat, pass.workspace, "norm.weight");
}

}  // namespace

Norm::Norm(const std::string& name, int64_t features, double epsilon, const WeightSpace& space)
    : epsilon_(epsilon) {
  weight_.name = name + ".weight";
  weight_.value = space.allocate({features});
}

void Norm::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                   const at::Tensor& inverse_rms) const {
  rms_norm(out, inverse_rms, x, in_fp32(weight_, pass), epsilon_);
}

void Norm::again(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                 const at::Tensor& inverse_rms) const {
  rms_norm_again(out, inverse_rms, x, in_fp32(weight_, pass));
}

void Norm::backward(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                    const at::Tensor& x, const at::Tensor& inverse_rms) {
  const at::Tensor sum = pass.workspace.get(Owner::workspace, "norm.gradient", {x.size(1)}, at::kFloat);
  const RmsNormInputs inputs{x, inverse_rms, in_fp32(weight_, pass)};
  rms_norm_backward(x_gradient, sum, gradient, inputs, pass.workspace);
  if (!weight_.sink) return;
  weight_.sink->add(converted(sum, pass.dtype, pass.workspace, "norm.gradient_reported"));
  weight_.sink->use_done();
}

}  // namespace galore
