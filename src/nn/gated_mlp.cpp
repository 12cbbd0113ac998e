#include "nn/gated_mlp.h"

#include "kernels/swiglu.h"

namespace galore {

GatedMlp::GatedMlp(const std::string& name, const MlpSize& size, const WeightSpace& space)
    : size_(size),
      gate_(name + ".gate_proj", {size.hidden, size.intermediate, size.bias}, space),
      up_(name + ".up_proj", {size.hidden, size.intermediate, size.bias}, space),
      down_(name + ".down_proj", {size.intermediate, size.hidden, size.bias}, space) {}

void GatedMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  gate_.forward(pass, input, pass.saved("gate", shape));
  up_.forward(pass, input, pass.saved("up", shape));
}

void GatedMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  const at::Tensor product = pass.scratch("mlp.product", shape);
  forward_inputs(pass, input);
  swiglu(product, pass.saved("gate", shape), pass.saved("up", shape));
  down_.forward_add(pass, product, stream);
}

void GatedMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  const at::Tensor gate = pass.saved("gate", shape), up = pass.saved("up", shape);
  const at::Tensor product = pass.scratch("mlp.product", shape);
  down_.input_gradient(pass, stream_gradient, product, Write::replace);
  swiglu_backward(gate, up, product);
  down_.report(pass, stream_gradient, product);
  gate_.input_gradient(pass, gate, input_gradient, Write::replace);
  up_.input_gradient(pass, up, input_gradient, Write::accumulate);
}

void GatedMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  gate_.report(pass, pass.saved("gate", shape), input);
  up_.report(pass, pass.saved("up", shape), input);
}

void GatedMlp::list(ParameterList& parameters) {
  for (Linear* linear : {&gate_, &up_, &down_}) linear->list(parameters);
}

}  // namespace galore
