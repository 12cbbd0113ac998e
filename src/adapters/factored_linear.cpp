#include "adapters/factored_linear.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.h"
#include "nn/initialize.h"
#include "nn/linear_bias.h"

namespace galore {
namespace {

// Returns the last part of a place's name, which differs between the linear layers of one transformer layer.
std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

FactoredLinear::FactoredLinear(const Place& place, const LinearSize& size, int64_t rank, Middle middle,
                               const LayerBuilder& builder)
    : name_(place.name), inputs_first_(size.inputs_first), middle_(middle) {
  define_parameter(a_, place.as(Role::adapter), "factor_A.weight", {rank, size.inputs}, builder);
  define_parameter(b_, place.as(Role::adapter), "factor_B.weight", {size.outputs, rank}, builder);
  a_.whole_products = b_.whole_products = true;
  if (size.bias) define_parameter(bias_, place.as(Role::bias), "bias", {size.outputs}, builder);
}

at::Tensor FactoredLinear::thin_input(const Pass& pass, int64_t tokens) const {
  return pass.workspace.get(Owner::activations, name_ + ".thin_input", {tokens, a_.value.size(0)},
                            pass.dtype);
}

at::Tensor FactoredLinear::thin_gradient(const Pass& pass, int64_t tokens) const {
  return pass.workspace.get(Owner::workspace, "factored.gradient." + last_part(name_),
                            {tokens, a_.value.size(0)}, pass.dtype);
}

void FactoredLinear::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                             Write write) const {
  const at::Tensor thin = thin_input(pass, x.size(0));
  product_x_wt(thin, x, a_.value, Write::replace, pass.workspace);
  const BiasAround bias(out, bias_, write);
  if (middle_ == Middle::silu) {
    const Scratch active = pass.scratch("factored.active", thin.sizes());
    at::Tensor target = *active;
    at::silu_out(target, thin);
    product_x_wt(out, active, b_.value, bias.product(), pass.workspace);
  } else {
    product_x_wt(out, thin, b_.value, bias.product(), pass.workspace);
  }
  bias.finish();
}

void FactoredLinear::input_gradient(const Pass& pass, const at::Tensor& gradient,
                                    const at::Tensor& x_gradient, Write write) const {
  at::Tensor thin = thin_gradient(pass, gradient.size(0));
  product_x_w(thin, gradient, b_.value, Write::replace, pass.workspace);
  if (middle_ == Middle::silu) at::silu_backward_out(thin, thin, thin_input(pass, gradient.size(0)));
  product_x_w(x_gradient, thin, a_.value, write, pass.workspace);
}

void FactoredLinear::report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
  if (a_.sink) {
    a_.sink->add_product(thin_gradient(pass, gradient.size(0)), x);
    a_.sink->use_done();
  }
  if (b_.sink) {
    at::Tensor thin = thin_input(pass, gradient.size(0));
    if (middle_ == Middle::silu) at::silu_out(thin, thin);
    b_.sink->add_product(gradient, thin);
    b_.sink->use_done();
  }
  report_bias(pass, bias_, gradient);
}

void FactoredLinear::list(ParameterList& parameters) {
  parameters.push_back(&a_);
  parameters.push_back(&b_);
  if (bias_.value.defined()) parameters.push_back(&bias_);
}

at::Tensor FactoredLinear::merged_weight() const {
  if (middle_ == Middle::silu)
    fail("merge", "{}: a layer with an activation between its factors has no single weight", name_);
  const at::Tensor weight = at::mm(b_.value.to(at::kFloat), a_.value.to(at::kFloat));
  return inputs_first_ ? weight.t() : weight;
}

void FactoredLinear::initialize(uint64_t seed) {
  const double wanted = 1 / std::sqrt(static_cast<double>(a_.value.size(1) + b_.value.size(0)));
  const double deviation = std::sqrt(wanted) / std::pow(static_cast<double>(a_.value.size(0)), 0.25);
  for (Parameter* factor : {&a_, &b_}) galore::initialize(*factor, seed, deviation);
}

}  // namespace galore
