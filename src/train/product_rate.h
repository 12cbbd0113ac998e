// The reference for measured speed: how fast this machine multiplies matrices, and how many operations a step
// needs.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/model_config.h"

namespace galore {

// Returns the best of a few products of 2048 x 1024 and 1024 x 1024 matrices, in operations per second. It
// takes about 0.2 s.
double measure_product_rate(at::ScalarType dtype, at::Device device);
// Returns the rate, which is measured once per process, format, device and number of threads. Any thread may
// call it.
double product_rate(at::ScalarType dtype, at::Device device);

// Returns the multiplications and additions of the forward and backward pass for one token in a row of
// `length`: 6 for each matrix weight (projected weights, and a head that predicts tokens), and those of
// causal attention. Recomputation is not counted.
double operations_per_token(const ModelConfig& config, int64_t length);

}  // namespace galore
