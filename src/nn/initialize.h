// Sets the initial values of a model's parameters.
#pragma once

#include <cstdint>

#include "core/parameter.h"

namespace galore {

// Initializes a parameter by its role: norms become 1, biases 0, and everything else is drawn from N(0,
// deviation^2), quantized matrices piece by piece. The result depends only on the seed, the name and the
// deviation.
void initialize(Parameter& parameter, uint64_t seed, double deviation);

}  // namespace galore
