// The number formats of weights, with the names that users type and the names in safetensors files.
#pragma once

#include <c10/core/ScalarType.h>

#include <string>

namespace galore {

// Accepts "float32", "fp32", "bfloat16", "bf16", "float16" and "fp16". Any other name is a UsageError.
at::ScalarType dtype_from_name(const std::string& name);
// Returns "float32", "bfloat16" or another name that transformers writes as torch_dtype.
std::string dtype_name(at::ScalarType dtype);

}  // namespace galore
