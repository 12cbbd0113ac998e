#include "nn/linear.h"

#include <ATen/ATen.h>

#include "kernels/weight_term.h"

namespace galore {

Linear::Linear(const std::string& name, Size size, const WeightSpace& space)
    : inputs_first_(size.inputs_first) {
  weight_.name = name + ".weight";
  const int64_t rows = inputs_first_ ? size.inputs : size.outputs;
  space.allocate_matrix(weight_, {rows, inputs_first_ ? size.outputs : size.inputs});
  weight_.whole_products = true;
  if (!size.bias) return;
  bias_.name = name + ".bias";
  bias_.role = Role::bias;
  bias_.value = space.allocate({size.outputs});
}

void Linear::times(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const {
  if (weight_.codes) {
    multiply(out, x, *weight_.codes, write, pass.workspace);
  } else {
    multiply(out, x, weight_.value, write, pass.workspace);
  }
  if (weight_.has_term()) add_term(out, x, weight_.term->factors(), pass.workspace);
}

void Linear::times_transpose(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                             Write write) const {
  if (weight_.codes) {
    multiply_by_transpose(out, x, *weight_.codes, write, pass.workspace);
  } else {
    multiply_by_transpose(out, x, weight_.value, write, pass.workspace);
  }
  if (weight_.has_term()) add_term_transpose(out, x, weight_.term->factors(), pass.workspace);
}

void Linear::multiply_by_weight(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                                Write write) const {
  inputs_first_ ? times(pass, x, out, write) : times_transpose(pass, x, out, write);
}

void Linear::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out) const {
  const bool biased = bias_.value.defined();
  if (biased) out.copy_(bias_.value.expand_as(out));
  multiply_by_weight(pass, x, out, biased ? Write::accumulate : Write::replace);
}

void Linear::forward_add(const Pass& pass, const at::Tensor& x, const at::Tensor& out) const {
  multiply_by_weight(pass, x, out, Write::accumulate);
  if (bias_.value.defined()) out.add_(bias_.value);
}

void Linear::input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                            Write write) const {
  inputs_first_ ? times_transpose(pass, gradient, x_gradient, write)
                : times(pass, gradient, x_gradient, write);
}

void Linear::report(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
  if (weight_.sink) {
    inputs_first_ ? weight_.sink->add_product(x, gradient) : weight_.sink->add_product(gradient, x);
    weight_.sink->use_done();
  }
  if (!bias_.sink) return;
  at::Tensor sum = pass.scratch("linear.bias_gradient", {gradient.size(1)});
  at::sum_out(sum, gradient, {0});
  bias_.sink->add(sum);
  bias_.sink->use_done();
}

void Linear::list(ParameterList& parameters) {
  parameters.push_back(&weight_);
  if (bias_.value.defined()) parameters.push_back(&bias_);
}

}  // namespace galore
