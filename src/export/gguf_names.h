// llama.cpp's names of tensors.
#pragma once

#include <optional>
#include <string>

#include "export/gguf_architecture.h"

namespace galore {

// Returns llama.cpp's name, such as "blk.0.attn_q.weight" for "model.layers.0.self_attn.q_proj.weight". All
// experts of a layer share one name. A tensor without a counterpart is an Error.
std::string gguf_name(const std::string& name, const GgufArchitecture& architecture);

// Returns the number of the expert that a weight belongs to, or nothing for any other weight.
std::optional<size_t> expert_of(const std::string& name);

}  // namespace galore
