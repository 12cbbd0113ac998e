// Parts of layers that change their parameters between updates.
#pragma once

#include "adapters/adapter.h"

namespace galore {

// Returns the weight of a layer without factors.
Parameter& weight_of(LinearLayer& layer);

// Gives `state` the name "<place>.<name>" and zeros of this shape in fp32. It is not trained: the layer keeps
// numbers in it that the model's files or the optimizer's hold from run to run.
void define_state(Parameter& state, const Place& place, const char* name, at::IntArrayRef shape,
                  Ledger& ledger);
// Gives `factor` the name "<place>.<name>" and an uninitialized fp32 value of this shape that is trained.
void define_fp32(Parameter& factor, const Place& place, const char* name, at::IntArrayRef shape,
                 Ledger& ledger);

// Returns `size` without a bias.
LinearSize without_bias(LinearSize size);
// Hands a gradient of the parameter's own shape to its sink, if it has one.
void report_gradient_of(const Parameter& parameter, const at::Tensor& gradient);

}  // namespace galore
