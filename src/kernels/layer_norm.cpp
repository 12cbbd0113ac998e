#include "kernels/layer_norm.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

// The number of partial sums of the gradients is fixed, so that the result does not depend on the threads.
constexpr int64_t kPartialSums = 16;

void check_layer_norm(const LayerNormInputs& inputs) {
  GALORE_ASSERT(inputs.x.dim() == 2 && inputs.x.is_contiguous());
  GALORE_ASSERT(inputs.statistics.numel() == 2 * inputs.x.size(0));
  GALORE_ASSERT(inputs.statistics.scalar_type() == at::kFloat && inputs.statistics.is_contiguous());
  GALORE_ASSERT(inputs.weight.numel() == inputs.x.size(1) && inputs.weight.scalar_type() == at::kFloat);
}

void check_alike(const at::Tensor& a, const at::Tensor& b) {
  GALORE_ASSERT(a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && a.is_contiguous());
}

at::Tensor normalized(const LayerNormInputs& inputs) {
  const at::Tensor mean = inputs.statistics.select(1, 0).unsqueeze(1);
  return (inputs.x.to(at::kFloat) - mean) * inputs.statistics.select(1, 1).unsqueeze(1);
}

void layer_norm_backward_composed(const LayerNormGradients& gradients, const at::Tensor& gradient,
                                  const LayerNormInputs& inputs, const at::Tensor&) {
  reference::layer_norm_backward(gradients, gradient, inputs);
}

bool layer_norm_backward_on_cpu(const LayerNormGradients& gradients, const at::Tensor& gradient,
                                const LayerNormInputs& inputs, const at::Tensor& partial) {
  if (!kernels::cpu::layer_norm_backward(gradients.x, partial, gradient, inputs)) return false;
  at::Tensor weight = gradients.weight, bias = gradients.bias;
  at::sum_out(weight, partial[0], {0});
  at::sum_out(bias, partial[1], {0});
  return true;
}

const kernels::Operation<decltype(layer_norm_statistics)> kLayerNormStatistics(
    "layer_norm_statistics",
    {.cpu = kernels::or_composed<kernels::cpu::layer_norm_statistics, reference::layer_norm_statistics>,
     .composed = reference::layer_norm_statistics});
const kernels::Operation<decltype(layer_norm)> kLayerNorm(
    "layer_norm", {.cpu = kernels::or_composed<kernels::cpu::layer_norm, reference::layer_norm>,
                   .composed = reference::layer_norm});
const kernels::Operation<decltype(layer_norm_backward_composed)> kLayerNormBackward(
    "layer_norm_backward",
    {.cpu = kernels::or_composed<layer_norm_backward_on_cpu, layer_norm_backward_composed>,
     .composed = layer_norm_backward_composed});

}  // namespace

void layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon) {
  GALORE_ASSERT(x.dim() == 2 && x.is_contiguous() && statistics.numel() == 2 * x.size(0));
  kLayerNormStatistics(x, statistics, x, epsilon);
}

void layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias) {
  check_layer_norm(inputs);
  check_alike(out, inputs.x);
  kLayerNorm(out, out, inputs, bias);
}

void layer_norm_backward(const LayerNormGradients& gradients, const at::Tensor& gradient,
                         const LayerNormInputs& inputs, Workspace& workspace) {
  check_layer_norm(inputs);
  check_alike(gradient, inputs.x);
  check_alike(gradients.x, inputs.x);
  const int64_t n = gradient.size(1);
  const at::Tensor partial =
      workspace.get(Owner::workspace, "layer_norm.partial", {2, kPartialSums, n}, at::kFloat);
  kLayerNormBackward(gradient, gradients, gradient, inputs, partial);
}

namespace reference {

void layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon) {
  const at::Tensor values = x.to(at::kFloat), mean = values.mean(1, true);
  statistics.select(1, 0).copy_(mean.squeeze(1));
  statistics.select(1, 1).copy_(((values - mean).square().mean(1) + epsilon).rsqrt());
}

void layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias) {
  out.copy_(normalized(inputs) * inputs.weight + bias);
}

void layer_norm_backward(const LayerNormGradients& gradients, const at::Tensor& gradient,
                         const LayerNormInputs& inputs) {
  const at::Tensor unit = normalized(inputs), dy = gradient.to(at::kFloat), scaled = dy * inputs.weight;
  gradients.weight.copy_((dy * unit).sum(0));
  gradients.bias.copy_(dy.sum(0));
  const at::Tensor inner = scaled - scaled.mean(1, true) - unit * (scaled * unit).mean(1, true);
  const at::Tensor dx = inner * inputs.statistics.select(1, 1).unsqueeze(1);
  gradients.x.copy_(gradients.x.to(at::kFloat) + dx);
}

}  // namespace reference
}  // namespace galore
