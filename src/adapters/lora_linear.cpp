#include "adapters/lora_linear.h"

#include <ATen/ATen.h>

namespace galore {

LoraLinear::LoraLinear(const Place& place, const LinearSize& size, const LoraSettings& settings,
                       const LayerBuilder& inner, Ledger& ledger)
    : base_(inner.linear(place, size)),
      factors_(place, size, settings, ledger),
      inputs_first_(size.inputs_first) {}

void LoraLinear::forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const {
  base_->forward(pass, x, out, write);
  const LoraFactors::Input input = factors_.input(pass, x);
  factors_.add_output(pass, *input, out);
}

void LoraLinear::input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                                Write write) const {
  base_->input_gradient(pass, gradient, x_gradient, write);
  if (!factors_.drops(pass)) return factors_.add_input_gradient(pass, gradient, x_gradient);
  const Scratch undropped = pass.scratch("adapter.input", x_gradient.sizes());
  if (!undropped->is_meta()) undropped->zero_();
  factors_.add_input_gradient(pass, gradient, undropped);
  factors_.drop(pass, undropped, x_gradient, Write::accumulate);
}

void LoraLinear::report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
  const LoraFactors::Input input = factors_.input(pass, x);
  factors_.report(pass, gradient, *input);
  base_->report_gradient(pass, gradient, x);
}

void LoraLinear::list(ParameterList& parameters) {
  base_->list(parameters);
  factors_.list(parameters);
}

at::Tensor LoraLinear::merged_weight() const {
  const at::Tensor product = factors_.product();
  return base_->merged_weight().to(at::kFloat).add(inputs_first_ ? product.t() : product);
}

void LoraLinear::initialize(uint64_t seed) {
  factors_.initialize(seed, [this] {
    const at::Tensor weight = base_->merged_weight().to(at::kFloat);
    return inputs_first_ ? weight.t() : weight;
  });
}

}  // namespace galore
