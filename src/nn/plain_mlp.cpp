#include "nn/plain_mlp.h"

#include "kernels/gelu.h"
#include "nn/residual.h"

namespace galore {
namespace {

Gelu gelu_kind(Activation activation) {
  return activation == Activation::gelu_tanh ? Gelu::tanh : Gelu::exact;
}

}  // namespace

PlainMlp::PlainMlp(const std::string& name, const MlpSize& size, const WeightSpace& space)
    : size_(size),
      in_(name + ".c_fc", {size.hidden, size.intermediate, size.bias, /*inputs_first=*/true}, space),
      out_(name + ".c_proj", {size.intermediate, size.hidden, size.bias, /*inputs_first=*/true}, space) {}

at::Tensor PlainMlp::inner(const Pass& pass) const {
  return pass.saved("up", {pass.tokens(), size_.intermediate});
}

at::Tensor PlainMlp::activated(const Pass& pass) const {
  const at::Tensor product = pass.scratch("mlp.product", {pass.tokens(), size_.intermediate});
  gelu(product, inner(pass), gelu_kind(size_.activation));
  return product;
}

void PlainMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  in_.forward(pass, input, inner(pass));
}

void PlainMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  forward_inputs(pass, input);
  add_branch(pass, out_, activated(pass), stream);
}

void PlainMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) {
  const at::Tensor before = inner(pass), product = activated(pass);
  const at::Tensor product_gradient = pass.scratch("mlp.product_gradient", before.sizes());
  const at::Tensor out_gradient = branch_gradient(pass, out_, stream_gradient);
  out_.input_gradient(pass, out_gradient, product_gradient, Write::replace);
  out_.report(pass, out_gradient, product);
  gelu_backward(before, product_gradient, gelu_kind(size_.activation));
  in_.input_gradient(pass, before, input_gradient, Write::replace);
}

void PlainMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  in_.report(pass, inner(pass), input);
}

void PlainMlp::list(ParameterList& parameters) {
  in_.list(parameters);
  out_.list(parameters);
}

}  // namespace galore
