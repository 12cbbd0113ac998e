// Initial weights from counter-based random streams.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace galore {

// value ~ N(0, deviation^2), in place, any float dtype and device; depends only on seed and name, not on
// threads or the order of parameters.
void fill_normal(const at::Tensor& value, double deviation, uint64_t seed, const std::string& name);

}  // namespace galore
