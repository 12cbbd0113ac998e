// How fast this machine multiplies matrices, and how many operations a step needs: what speed is measured
// against.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/model_config.h"

namespace galore {

// Best of a few products of 2048 x 1024 by 1024 x 1024 matrices, in operations a second. Takes about 0.2 s.
double measure_peak(at::ScalarType dtype, at::Device device);

// Multiplications and additions of forward and backward for one token in a row of `length`: 6 a matrix weight
// (projected ones and head), and causal attention. Recomputation is not counted.
double operations_per_token(const ModelConfig& config, int64_t length);

}  // namespace galore
