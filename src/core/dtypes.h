// The number formats of weights, by the names users type and the names safetensors files use.
#pragma once

#include <c10/core/ScalarType.h>

#include <string>

namespace galore {

// "float32", "fp32", "bfloat16", "bf16", "float16", "fp16"; anything else is a UsageError.
at::ScalarType dtype_from_name(const std::string& name);
// "float32", "bfloat16", ...: the name transformers writes as torch_dtype.
std::string dtype_name(at::ScalarType dtype);

}  // namespace galore
