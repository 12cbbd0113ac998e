#include "nn/dense_linear.h"

#include <array>

#include "core/errors.h"
#include "kernels/weight_term.h"
#include "nn/linear_bias.h"

namespace galore {
namespace {

std::array<int64_t, 2> weight_shape(const LinearSize& size) {
  if (size.inputs_first) return {size.inputs, size.outputs};
  return {size.outputs, size.inputs};
}

}  // namespace

DenseLinear::DenseLinear(const Place& place, const LinearSize& size, const LayerBuilder& builder)
    : name_(place.name), inputs_first_(size.inputs_first) {
  define_parameter(weight_, place, "weight", weight_shape(size), builder);
  weight_.whole_products = !size.in_chunks;
  if (size.bias) define_parameter(bias_, place.as(Role::bias), "bias", {size.outputs}, builder);
}

void DenseLinear::times(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const {
  if (weight_.codes) {
    product_x_w(out, x, *weight_.codes, write, pass.workspace);
  } else {
    product_x_w(out, x, weight_.value, write, pass.workspace);
  }
  if (weight_.has_term()) add_term(out, x, weight_.term->factors(), pass.workspace);
}

void DenseLinear::times_transpose(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                                  Write write) const {
  if (weight_.codes) {
    product_x_wt(out, x, *weight_.codes, write, pass.workspace);
  } else {
    product_x_wt(out, x, weight_.value, write, pass.workspace);
  }
  if (weight_.has_term()) add_term_transpose(out, x, weight_.term->factors(), pass.workspace);
}

void DenseLinear::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const {
  reported_ = false;
  const BiasAround bias(out, bias_, write);
  if (inputs_first_) {
    times(pass, x, out, bias.product());
  } else {
    times_transpose(pass, x, out, bias.product());
  }
  bias.finish();
}

void DenseLinear::input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                                 Write write) const {
  GALORE_ASSERT(!reported_);
  if (inputs_first_) {
    times_transpose(pass, gradient, x_gradient, write);
  } else {
    times(pass, gradient, x_gradient, write);
  }
}

void DenseLinear::report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
  reported_ = !pass.more_follows;
  if (weight_.sink) {
    if (inputs_first_) {
      weight_.sink->add_product(x, gradient);
    } else {
      weight_.sink->add_product(gradient, x);
    }
    finish_report(pass, weight_);
  }
  report_bias(pass, bias_, gradient);
}

void DenseLinear::list(ParameterList& parameters) {
  parameters.push_back(&weight_);
  if (bias_.value.defined()) parameters.push_back(&bias_);
}

at::Tensor DenseLinear::merged_weight() const {
  return weight_.codes || weight_.has_term() ? effective_value(weight_) : weight_.value;
}

}  // namespace galore
