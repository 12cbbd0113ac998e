#include "kernels/rms_norm.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

// The number of partial sums of the weight gradient is fixed, so that the result does not depend on the
// threads.
constexpr int64_t kPartialSums = 16;

void check_rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                    const at::Tensor& weight) {
  GALORE_ASSERT(x.dim() == 2 && out.sizes() == x.sizes() && out.scalar_type() == x.scalar_type());
  GALORE_ASSERT(inverse_rms.numel() == x.size(0) && inverse_rms.scalar_type() == at::kFloat);
  GALORE_ASSERT(weight.numel() == x.size(1) && weight.scalar_type() == at::kFloat);
  GALORE_ASSERT(x.is_contiguous() && out.is_contiguous() && weight.is_contiguous());
}

void rms_norm_backward_composed(const at::Tensor& x_gradient, const at::Tensor& weight_gradient,
                                const at::Tensor& gradient, const RmsNormInputs& inputs, const at::Tensor&) {
  reference::rms_norm_backward(x_gradient, weight_gradient, gradient, inputs);
}

bool rms_norm_backward_on_cpu(const at::Tensor& x_gradient, const at::Tensor& weight_gradient,
                              const at::Tensor& gradient, const RmsNormInputs& inputs,
                              const at::Tensor& partial) {
  if (!kernels::cpu::rms_norm_backward(x_gradient, partial, gradient, inputs)) return false;
  at::Tensor sum = weight_gradient;
  at::sum_out(sum, partial, {0});
  return true;
}

const kernels::Operation<decltype(rms_norm)> kRmsNorm(
    "rms_norm", {.cpu = kernels::or_composed<kernels::cpu::rms_norm, reference::rms_norm>,
                 .composed = reference::rms_norm});
const kernels::Operation<decltype(rms_norm_recompute)> kRmsNormRecompute(
    "rms_norm_recompute",
    {.cpu = kernels::or_composed<kernels::cpu::rms_norm_recompute, reference::rms_norm_recompute>,
     .composed = reference::rms_norm_recompute});
const kernels::Operation<decltype(rms_norm_backward_composed)> kRmsNormBackward(
    "rms_norm_backward", {.cpu = kernels::or_composed<rms_norm_backward_on_cpu, rms_norm_backward_composed>,
                          .composed = rms_norm_backward_composed});

}  // namespace

void rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon) {
  check_rms_norm(out, inverse_rms, x, weight);
  kRmsNorm(x, out, inverse_rms, x, weight, epsilon);
}

void rms_norm_recompute(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                        const at::Tensor& weight) {
  check_rms_norm(out, inverse_rms, x, weight);
  kRmsNormRecompute(x, out, inverse_rms, x, weight);
}

void rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& weight_gradient,
                       const at::Tensor& gradient, const RmsNormInputs& inputs, Workspace& workspace) {
  check_rms_norm(gradient, inputs.inverse_rms, inputs.x, inputs.weight);
  GALORE_ASSERT(x_gradient.sizes() == gradient.sizes() && x_gradient.scalar_type() == gradient.scalar_type());
  GALORE_ASSERT(weight_gradient.numel() == gradient.size(1) && weight_gradient.scalar_type() == at::kFloat);
  const at::Tensor partial =
      workspace.get(Owner::workspace, "rms_norm.partial", {kPartialSums, gradient.size(1)}, at::kFloat);
  kRmsNormBackward(gradient, x_gradient, weight_gradient, gradient, inputs, partial);
}

namespace reference {

void rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon) {
  inverse_rms.copy_((x.to(at::kFloat).square().mean(1) + epsilon).rsqrt());
  reference::rms_norm_recompute(out, inverse_rms, x, weight);
}

void rms_norm_recompute(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                        const at::Tensor& weight) {
  out.copy_(x.to(at::kFloat) * inverse_rms.unsqueeze(1) * weight);
}

void rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& weight_gradient,
                       const at::Tensor& gradient, const RmsNormInputs& inputs) {
  const at::Tensor normalized = inputs.x.to(at::kFloat) * inputs.inverse_rms.unsqueeze(1);
  const at::Tensor dy = gradient.to(at::kFloat);
  weight_gradient.copy_((dy * normalized).sum(0));
  const at::Tensor scaled = dy * inputs.weight;
  const at::Tensor projection = (scaled * normalized).mean(1, true);
  const at::Tensor dx = (scaled - normalized * projection) * inputs.inverse_rms.unsqueeze(1);
  x_gradient.copy_(x_gradient.to(at::kFloat) + dx);
}

}  // namespace reference
}  // namespace galore
