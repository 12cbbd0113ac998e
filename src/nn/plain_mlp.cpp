#include "nn/plain_mlp.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "kernels/gelu.h"

namespace galore {
namespace {

// Returns the kind of a GELU, which is computed without pieces, or nothing.
std::optional<Gelu> gelu_kind(const std::string& activation) {
  if (activation == "gelu" || activation == "gelu_python") return Gelu::exact;
  constexpr const char* kByTanh[] = {"gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh",
                                     "gelu_accurate"};
  const bool by_tanh = std::find(std::begin(kByTanh), std::end(kByTanh), activation) != std::end(kByTanh);
  return by_tanh ? std::optional(Gelu::tanh) : std::nullopt;
}

}  // namespace

PlainMlp::PlainMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder)
    : size_(size), activation_(find_activation(size.activation)), branch_(place, size.branch, builder) {
  const LinearSize in{size.hidden, size.intermediate, size.bias, size.inputs_first};
  up_ = builder.linear(place.at(size.up), in);
  down_ = builder.linear(place.at(size.down), {in.outputs, in.inputs, in.bias, in.inputs_first});
}

at::Tensor PlainMlp::inner(const Pass& pass) const {
  return pass.saved("up", {pass.tokens(), size_.intermediate});
}

Scratch PlainMlp::activated(const Pass& pass) const {
  Scratch product = pass.scratch("mlp.product", {pass.tokens(), size_.intermediate});
  if (const auto kind = gelu_kind(size_.activation)) {
    gelu(product, inner(pass), *kind);
  } else {
    activate(product, inner(pass), *activation_);
  }
  return product;
}

void PlainMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  up_->forward(pass, input, inner(pass), Write::replace);
  if (!branch_.needs_recomputation()) return;
  const Scratch product = activated(pass);
  branch_.recompute(pass, *down_, product);
}

void PlainMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  up_->forward(pass, input, inner(pass), Write::replace);
  const Scratch product = activated(pass);
  branch_.add(pass, *down_, product, stream);
}

void PlainMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) {
  const at::Tensor before = inner(pass);
  const Scratch product = activated(pass);
  const Scratch product_gradient = pass.scratch("mlp.product_gradient", before.sizes());
  {
    const BranchGradient branch = branch_.output_gradient(pass, *down_, stream_gradient);
    down_->input_gradient(pass, branch.tensor, product_gradient, Write::replace);
    down_->report_gradient(pass, branch.tensor, product);
  }
  if (const auto kind = gelu_kind(size_.activation)) {
    gelu_backward(before, product_gradient, *kind);
  } else {
    activate_backward(before, product_gradient, *activation_);
  }
  up_->input_gradient(pass, before, input_gradient, Write::replace);
}

void PlainMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  up_->report_gradient(pass, inner(pass), input);
}

void PlainMlp::list(ParameterList& parameters) {
  up_->list(parameters);
  down_->list(parameters);
  branch_.list(parameters);
}

}  // namespace galore
