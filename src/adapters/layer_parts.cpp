#include "adapters/layer_parts.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore {

Parameter& weight_of(LinearLayer& layer) {
  ParameterList parameters;
  layer.list(parameters);
  GALORE_ASSERT(!parameters.empty());
  return *parameters.front();
}

void define_fp32(Parameter& factor, const Place& place, const char* name, at::IntArrayRef shape,
                 Ledger& ledger) {
  factor.name = place.name + "." + name;
  factor.role = Role::adapter;
  factor.layer = place.layer;
  factor.value = ledger.empty(Owner::weights, shape, at::kFloat);
}

void define_state(Parameter& state, const Place& place, const char* name, at::IntArrayRef shape,
                  Ledger& ledger) {
  define_fp32(state, place, name, shape, ledger);
  state.trainable = false;
  if (!state.value.is_meta()) state.value.zero_();
}

LinearSize without_bias(LinearSize size) {
  size.bias = false;
  return size;
}

void report_gradient_of(const Parameter& parameter, const at::Tensor& gradient) {
  if (!parameter.sink) return;
  parameter.sink->add(gradient);
  parameter.sink->use_done();
}

}  // namespace galore
