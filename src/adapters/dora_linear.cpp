#include "adapters/dora_linear.h"

#include <ATen/ATen.h>

#include <limits>

#include "adapters/layer_parts.h"
#include "nn/linear_bias.h"

namespace galore {
namespace {

at::Tensor safe(const at::Tensor& norms) { return norms.clamp_min(std::numeric_limits<float>::min()); }

}  // namespace

DoraLinear::DoraLinear(const Place& place, const LinearSize& size, const LoraSettings& settings,
                       const LayerBuilder& inner, Ledger& ledger)
    : outputs_(size.outputs),
      inputs_first_(size.inputs_first),
      base_(inner.linear(place, without_bias(size))),
      factors_(place, size, settings, ledger),
      squared_norms_(ledger.empty(Owner::weights, {size.outputs}, at::kFloat)) {
  define_fp32(magnitude_, place, "lora_magnitude_vector", {size.outputs}, ledger);
  if (size.bias) define_parameter(bias_, place.as(Role::bias), "bias", {size.outputs}, inner);
}

at::Tensor DoraLinear::direction_matrix() const {
  const at::Tensor weight = base_->merged_weight().to(at::kFloat);
  return (inputs_first_ ? weight.t() : weight).add(factors_.product());
}

void DoraLinear::remember_norms_of_weight() const {
  if (norms_are_known_ || squared_norms_.is_meta()) return;
  at::sum_out(squared_norms_, base_->merged_weight().to(at::kFloat).square(), {inputs_first_ ? 0 : 1});
  norms_are_known_ = true;
}

// Computes |V|^2 = |W|^2 + 2 s (W A^T) . B + s^2 (B A A^T) . B row by row, so that V is not formed. The layer
// computes W A^T as if the rows of A were tokens.
Scratch DoraLinear::norms(const Pass& pass) const {
  remember_norms_of_weight();
  const at::Tensor a = factors_.a().value, b = factors_.b().value;
  Scratch norms = pass.workspace.lease(Owner::workspace, "adapter.norms", {outputs_}, at::kFloat);
  const Scratch rows = pass.scratch("adapter.rows", a.sizes());
  const Scratch products = pass.scratch("adapter.products", {a.size(0), outputs_});
  if (!rows->is_meta()) rows->copy_(a);
  base_->forward(pass, rows, products, Write::replace);
  if (norms->is_meta()) return norms;
  const double s = factors_.scale();
  const at::Tensor cross = products->t().to(at::kFloat).mul(2 * s).add(at::mm(b, at::mm(a, a.t())), s * s);
  at::Tensor out = *norms;
  at::sum_out(out, cross.mul_(b), {1});
  out.add_(squared_norms_).clamp_min_(0).sqrt_().clamp_min_(std::numeric_limits<float>::min());
  return norms;
}

Scratch DoraLinear::directions(const Pass& pass, const at::Tensor& input) const {
  Scratch out = pass.scratch("adapter.directions", {input.size(0), outputs_});
  base_->forward(pass, input, out, Write::replace);
  factors_.add_output(pass, input, out);
  return out;
}

Scratch DoraLinear::scaled(const Pass& pass, const at::Tensor& x, double less) const {
  const Scratch norms = this->norms(pass);
  Scratch out = pass.scratch(less == 0 ? "adapter.scaled" : "adapter.scaled_difference", x.sizes());
  if (out->is_meta()) return out;
  at::Tensor product = *out;
  at::mul_out(product, x, at::div(magnitude_.value, norms).sub_(less).to(x.scalar_type()));
  return out;
}

void DoraLinear::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const {
  const LoraFactors::Input input = factors_.input(pass, x);
  const Scratch directions = this->directions(pass, *input);
  const Scratch scaled = this->scaled(pass, directions, 0);
  if (factors_.drops(pass)) {
    // f(x) - f(drop(x)) + diag(c) V drop(x) is the sum in the header.
    base_->forward(pass, x, out, write);
    base_->forward(pass, *input, directions, Write::replace);
    if (!out.is_meta()) out.sub_(directions).add_(scaled);
  } else if (!out.is_meta()) {
    write == Write::replace ? out.copy_(scaled) : out.add_(scaled);
  }
  if (bias_.value.defined() && !out.is_meta()) out.add_(bias_.value);
}

void DoraLinear::input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                                Write write) const {
  const Scratch scaled = this->scaled(pass, gradient, 0);
  if (!factors_.drops(pass)) {
    base_->input_gradient(pass, scaled, x_gradient, write);
    return factors_.add_input_gradient(pass, scaled, x_gradient);
  }
  base_->input_gradient(pass, gradient, x_gradient, write);
  const Scratch difference = this->scaled(pass, gradient, 1);
  const Scratch undropped = pass.scratch("adapter.input", x_gradient.sizes());
  base_->input_gradient(pass, difference, undropped, Write::replace);
  factors_.add_input_gradient(pass, scaled, undropped);
  factors_.drop(pass, undropped, x_gradient, Write::accumulate);
}

void DoraLinear::report_magnitude(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input) {
  if (!magnitude_.sink) return;
  const Scratch directions = this->directions(pass, input), norms = this->norms(pass);
  const Scratch sum = pass.workspace.lease(Owner::workspace, "adapter.magnitude", {outputs_}, at::kFloat);
  if (!sum->is_meta()) {
    at::Tensor out = *sum;
    directions->mul_(gradient);
    at::sum_out(out, directions, {0}, /*keepdim=*/false, at::kFloat);
    out.div_(norms);
  }
  magnitude_.sink->add(sum);
  finish_report(pass, magnitude_);
}

void DoraLinear::report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
  const LoraFactors::Input input = factors_.input(pass, x);
  // A sink may change its parameter at once, and each gradient depends on all parameters.
  const Scratch scaled = this->scaled(pass, gradient, 0);
  report_magnitude(pass, gradient, *input);
  factors_.report(pass, scaled, *input);
  report_bias(pass, bias_, gradient);
}

void DoraLinear::list(ParameterList& parameters) {
  base_->list(parameters);
  if (bias_.value.defined()) parameters.push_back(&bias_);
  factors_.list(parameters);
  parameters.push_back(&magnitude_);
}

at::Tensor DoraLinear::merged_weight() const {
  const at::Tensor v = direction_matrix();
  const at::Tensor merged = v.mul(at::div(magnitude_.value, safe(v.norm(2, {1}))).unsqueeze(1));
  return inputs_first_ ? merged.t().contiguous() : merged;
}

void DoraLinear::initialize(uint64_t seed) {
  factors_.initialize(seed, {});
  if (magnitude_.value.is_meta()) return;
  remember_norms_of_weight();
  at::sqrt_out(magnitude_.value, squared_norms_);
}

// The magnitudes are the norms of the rows that the layer begins with.
void DoraLinear::start_from(const at::Tensor& gradient, const at::Tensor& input) {
  factors_.start_from(gradient, input);
  magnitude_.value.copy_(direction_matrix().norm(2, {1}));
}

}  // namespace galore
