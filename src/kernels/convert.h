// Copies between number formats.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/memory.h"

namespace galore {

// out = in, rounded to nearest even where `out` is narrower. Same shape; both contiguous.
void convert(const at::Tensor& out, const at::Tensor& in);

// `tensor`, of any strides, itself if it has this dtype, else its values in the workspace buffer `name`.
at::Tensor converted(const at::Tensor& tensor, at::ScalarType dtype, Workspace& workspace,
                     const std::string& name);

}  // namespace galore
