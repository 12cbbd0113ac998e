// The state of an optimizer as tensors by name, for programs that keep it in their own files.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "optim/optimizer.h"

namespace galore {

// Returns all state in the order of Optimizer::visit(). Tensors are those of the optimizer itself, and
// scalars are copies of no dimension (int64 or float64). State that does not exist yet is left out.
std::vector<std::pair<std::string, at::Tensor>> named_state(Optimizer& optimizer);

// Copies values into the state of an optimizer that has made no update yet. `find` returns the value of a
// name, or null. A missing value, a wrong shape and a wrong type are Errors; state that does not exist yet is
// made where there is a value.
using FindValue = std::function<const at::Tensor*(const std::string& name)>;
void load_named_state(Optimizer& optimizer, at::Device device, const FindValue& find);

}  // namespace galore
