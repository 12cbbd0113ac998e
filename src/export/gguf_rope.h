// The rotary embedding in llama.cpp's metadata and tensors.
#pragma once

#include <string>
#include <vector>

#include "export/gguf_file.h"
#include "models/model_config.h"

namespace galore {

// Adds the frequencies and their scaling. A scaling without a counterpart is an Error.
void add_gguf_rope(const std::string& prefix, const ModelConfig& config, GgufMetadata& metadata);

// Returns the divisors of the rotary frequencies for a rope_scaling of type llama3 or longrope, and nothing
// for any other.
std::vector<GgufTensor> gguf_rope_tensors(const ModelConfig& config);

}  // namespace galore
