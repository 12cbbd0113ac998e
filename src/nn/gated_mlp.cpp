#include "nn/gated_mlp.h"

#include <array>

#include "kernels/swiglu.h"

namespace galore {

GatedMlp::GatedMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder)
    : size_(size),
      activation_(find_activation(size.activation)),
      silu_(size.activation == "silu" || size.activation == "swish"),
      inputs_(make_linear_group(place,
                                {size.hidden,
                                 {size.intermediate, size.intermediate},
                                 {size.gate, size.up},
                                 size.fused,
                                 /*groups=*/1,
                                 size.bias,
                                 size.inputs_first},
                                builder)),
      down_(builder.linear(place.at(size.down),
                           {size.intermediate, size.hidden, size.bias, size.inputs_first})),
      branch_(place, size.branch, builder) {}

std::vector<at::Tensor> GatedMlp::saved(const Pass& pass) const {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  return {pass.saved("gate", shape), pass.saved("up", shape)};
}

Scratch GatedMlp::product(const Pass& pass) const {
  const auto inputs = saved(pass);
  Scratch product = pass.scratch("mlp.product", inputs[0].sizes());
  if (silu_) {
    swiglu(product, inputs[0], inputs[1]);
  } else {
    gated(product, inputs[0], inputs[1], *activation_);
  }
  return product;
}

void GatedMlp::run_inputs(const Pass& pass, const at::Tensor& input) const {
  inputs_->forward(pass, input, saved(pass));
}

void GatedMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  run_inputs(pass, input);
  if (!branch_.needs_recomputation()) return;
  const Scratch product = this->product(pass);
  branch_.recompute(pass, *down_, product);
}

void GatedMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  run_inputs(pass, input);
  const Scratch product = this->product(pass);
  branch_.add(pass, *down_, product, stream);
}

void GatedMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) {
  const auto inputs = saved(pass);
  const BranchGradient branch = branch_.output_gradient(pass, *down_, stream_gradient);
  const Scratch product = pass.scratch("mlp.product", inputs[0].sizes());
  down_->input_gradient(pass, branch.tensor, product, Write::replace);
  if (silu_) {
    swiglu_backward(inputs[0], inputs[1], product);
  } else {
    gated_backward(inputs[0], inputs[1], product, *activation_);
  }
  down_->report_gradient(pass, branch.tensor, product);
  inputs_->input_gradient(pass, inputs, input_gradient);
}

void GatedMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  inputs_->report_gradient(pass, saved(pass), input);
}

void GatedMlp::list(ParameterList& parameters) {
  inputs_->list(parameters);
  down_->list(parameters);
  branch_.list(parameters);
}

}  // namespace galore
