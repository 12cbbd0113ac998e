#include "nn/gated_mlp.h"

#include "kernels/swiglu.h"

namespace galore {

GatedMlp::GatedMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder) : size_(size) {
  const LinearSize in{size.hidden, size.intermediate, size.bias, size.inputs_first};
  gate_ = builder.linear(place.at(size.gate), in);
  up_ = builder.linear(place.at(size.up), in);
  down_ = builder.linear(place.at(size.down), {in.outputs, in.inputs, in.bias, in.inputs_first});
}

void GatedMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  gate_->forward(pass, input, pass.saved("gate", shape), Write::replace);
  up_->forward(pass, input, pass.saved("up", shape), Write::replace);
}

void GatedMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  const Scratch product = pass.scratch("mlp.product", shape);
  forward_inputs(pass, input);
  swiglu(product, pass.saved("gate", shape), pass.saved("up", shape));
  down_->forward(pass, product, stream, Write::accumulate);
}

void GatedMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  const at::Tensor gate = pass.saved("gate", shape), up = pass.saved("up", shape);
  const Scratch product = pass.scratch("mlp.product", shape);
  down_->input_gradient(pass, stream_gradient, product, Write::replace);
  swiglu_backward(gate, up, product);
  down_->report_gradient(pass, stream_gradient, product);
  gate_->input_gradient(pass, gate, input_gradient, Write::replace);
  up_->input_gradient(pass, up, input_gradient, Write::accumulate);
}

void GatedMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  gate_->report_gradient(pass, pass.saved("gate", shape), input);
  up_->report_gradient(pass, pass.saved("up", shape), input);
}

void GatedMlp::list(ParameterList& parameters) {
  for (const LinearPointer* linear : {&gate_, &up_, &down_}) (*linear)->list(parameters);
}

}  // namespace galore
