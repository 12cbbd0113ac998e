// The architectures that llama.cpp computes: its names for them, its metadata, and the settings that it
// lacks.
#pragma once

#include <string>
#include <vector>

#include "export/gguf_file.h"
#include "models/model_config.h"

namespace galore {

struct GgufArchitecture {
  const char* model_type;
  const char* name;  // llama.cpp's
  // Rows of queries and keys are reordered: llama.cpp rotates neighbouring numbers where transformers rotates
  // halves of a head.
  bool neighbours = false;
  // Norm weights are stored as the factor 1 + weight.
  bool norms_plus_one = false;
  // The norm called post_attention_layernorm stands behind the attention, not before the MLP.
  bool norms_behind = false;
  // The head is a tensor of its own even where it is tied to the embedding.
  bool needs_head = false;
  // Adds metadata beyond that of all architectures, and refuses settings without a counterpart. `prefix` is
  // "<name>.".
  void (*add)(const std::string& prefix, const ModelConfig& config, GgufMetadata& metadata) = nullptr;
};

// Returns the row of a model's architecture. One that llama.cpp or we lack is an Error that lists the others.
const GgufArchitecture& gguf_architecture(const ModelConfig& config);

// Adds sizes, norms, rotary embedding and all else that llama.cpp reads about the model. A setting that it
// cannot express is an Error that names it.
void add_gguf_architecture(const ModelConfig& config, GgufMetadata& metadata);

// Says where llama.cpp computes something else than transformers.
std::vector<std::string> gguf_notes(const ModelConfig& config);

}  // namespace galore
