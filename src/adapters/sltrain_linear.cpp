#include "adapters/sltrain_linear.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "adapters/lora_factors.h"
#include "core/errors.h"
#include "kernels/convert.h"
#include "kernels/matmul.h"
#include "nn/linear_bias.h"

namespace galore {
namespace {

int64_t support_size(const LinearSize& size, double density) {
  return static_cast<int64_t>(std::floor(density * static_cast<double>(size.outputs * size.inputs)));
}

void draw(Parameter& parameter, double bound, uint64_t seed) {
  if (parameter.value.is_meta()) return;
  const at::Tensor drawn = at::empty(parameter.value.sizes(), at::kFloat);
  draw_uniform(drawn, bound, {seed, "init", parameter.name});
  parameter.value.copy_(drawn);
}

}  // namespace

SlTrainLinear::SlTrainLinear(const Place& place, const LinearSize& size, const SlTrainSettings& settings,
                             const LayerBuilder& builder, Ledger& ledger)
    : name_(place.name),
      settings_(settings),
      inputs_first_(size.inputs_first),
      support_(size.outputs, size.inputs, support_size(size, settings.density), settings.seed, place.name) {
  const Place own = place.as(Role::adapter);
  const int64_t count = support_.count();
  if (size.outputs * size.inputs > std::numeric_limits<int32_t>::max())
    fail("sltrain", "{}: expected at most 2^31 - 1 elements, given {} x {}", name_, size.outputs,
         size.inputs);
  define_parameter(a_, own, "factor_A.weight", {settings.rank, size.inputs}, builder);
  define_parameter(b_, own, "factor_B.weight", {size.outputs, settings.rank}, builder);
  define_parameter(values_, own, "sparse_values", {count}, builder);
  if (size.bias) define_parameter(bias_, place.as(Role::bias), "bias", {size.outputs}, builder);
  if (!settings.keeps_support) return;
  positions_ = ledger.empty(Owner::weights, {count}, at::kInt);
  if (!positions_.is_meta()) support_.write(positions_);
}

Scratch SlTrainLinear::weight(const Pass& pass) const {
  const at::Tensor a = converted(a_.value, pass.dtype, pass.workspace, "sltrain.a");
  const at::Tensor b = converted(b_.value, pass.dtype, pass.workspace, "sltrain.b");
  const at::Tensor values = converted(values_.value, pass.dtype, pass.workspace, "sltrain.values");
  const Scratch scaled = pass.scratch("sltrain.a_gradient", a.sizes());
  if (!scaled->is_meta()) scaled->copy_(a).mul_(settings_.scale);
  Scratch weight = pass.scratch("sltrain.weight", {b.size(0), a.size(1)});
  matrix_product(weight, b, scaled, Write::replace);
  if (!weight->is_meta()) support_.add(weight, values, positions_);
  return weight;
}

void SlTrainLinear::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const {
  const Scratch dense = weight(pass);
  const BiasAround bias(out, bias_, write);
  product_x_wt(out, x, dense, bias.product(), pass.workspace);
  bias.finish();
}

void SlTrainLinear::input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                                   Write write) const {
  const Scratch dense = weight(pass);
  product_x_w(x_gradient, gradient, dense, write, pass.workspace);
}

void SlTrainLinear::report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
  const at::Tensor a = converted(a_.value, pass.dtype, pass.workspace, "sltrain.a");
  const at::Tensor b = converted(b_.value, pass.dtype, pass.workspace, "sltrain.b");
  const Scratch dense = pass.scratch("sltrain.weight", {b.size(0), a.size(1)}),
                of_a = pass.scratch("sltrain.a_gradient", a.sizes()),
                of_b = pass.scratch("sltrain.b_gradient", b.sizes()),
                of_values = pass.scratch("sltrain.values_gradient", values_.value.sizes());
  product_dyt_x(dense, gradient, x, Write::replace);
  matrix_product(of_a, b.t(), dense, Write::replace);
  matrix_product(of_b, dense, a.t(), Write::replace);
  if (!dense->is_meta()) {
    of_a->mul_(settings_.scale);
    of_b->mul_(settings_.scale);
    support_.take(of_values, dense, positions_);
  }
  const auto report = [](const Parameter& parameter, const at::Tensor& found) {
    if (!parameter.sink) return;
    parameter.sink->add(found);
    parameter.sink->use_done();
  };
  report(a_, of_a);
  report(b_, of_b);
  report(values_, of_values);
  report_bias(pass, bias_, gradient);
}

void SlTrainLinear::list(ParameterList& parameters) {
  for (Parameter* parameter : {&a_, &b_, &values_}) parameters.push_back(parameter);
  if (bias_.value.defined()) parameters.push_back(&bias_);
}

at::Tensor SlTrainLinear::merged_weight() const {
  const at::Tensor weight = at::mm(b_.value.to(at::kFloat), a_.value.to(at::kFloat)).mul_(settings_.scale);
  support_.add(weight, values_.value.to(at::kFloat), positions_);
  return inputs_first_ ? weight.t() : weight;
}

void SlTrainLinear::initialize(uint64_t seed) {
  const double bound = 1 / std::sqrt(static_cast<double>(a_.value.size(1)));
  draw(a_, bound, seed);
  draw(values_, bound, seed);
  b_.value.zero_();
  if (bias_.value.defined()) bias_.value.zero_();
}

}  // namespace galore
