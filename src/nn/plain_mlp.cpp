#include "nn/plain_mlp.h"

#include "kernels/gelu.h"
#include "nn/residual.h"

namespace galore {
namespace {

Gelu gelu_kind(Activation activation) {
  return activation == Activation::gelu_tanh ? Gelu::tanh : Gelu::exact;
}

}  // namespace

PlainMlp::PlainMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder) : size_(size) {
  const LinearSize in{size.hidden, size.intermediate, size.bias, size.inputs_first};
  up_ = builder.linear(place.at(size.up), in);
  down_ = builder.linear(place.at(size.down), {in.outputs, in.inputs, in.bias, in.inputs_first});
}

at::Tensor PlainMlp::inner(const Pass& pass) const {
  return pass.saved("up", {pass.tokens(), size_.intermediate});
}

Scratch PlainMlp::activated(const Pass& pass) const {
  Scratch product = pass.scratch("mlp.product", {pass.tokens(), size_.intermediate});
  gelu(product, inner(pass), gelu_kind(size_.activation));
  return product;
}

void PlainMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  up_->forward(pass, input, inner(pass), Write::replace);
}

void PlainMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  forward_inputs(pass, input);
  const Scratch product = activated(pass);
  add_branch(pass, *down_, product, stream);
}

void PlainMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) {
  const at::Tensor before = inner(pass);
  const Scratch product = activated(pass);
  const Scratch product_gradient = pass.scratch("mlp.product_gradient", before.sizes());
  branch_backward(pass, *down_, product, stream_gradient, product_gradient);
  gelu_backward(before, product_gradient, gelu_kind(size_.activation));
  up_->input_gradient(pass, before, input_gradient, Write::replace);
}

void PlainMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  up_->report_gradient(pass, inner(pass), input);
}

void PlainMlp::list(ParameterList& parameters) {
  up_->list(parameters);
  down_->list(parameters);
}

}  // namespace galore
