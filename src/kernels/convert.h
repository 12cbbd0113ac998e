// Copies between number formats.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/memory.h"

namespace galore {

// Computes out = in, rounded to nearest even if `out` has fewer bits. Both have the same shape and are
// contiguous.
void convert(const at::Tensor& out, const at::Tensor& in);

// Returns `tensor` (of any strides) itself if it has this dtype, and otherwise its values in the workspace
// buffer `name`.
at::Tensor converted(const at::Tensor& tensor, at::ScalarType dtype, Workspace& workspace,
                     const std::string& name);

}  // namespace galore
