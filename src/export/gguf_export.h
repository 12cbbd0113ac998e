// Writes a model folder as one GGUF file for llama.cpp and Ollama.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"
#include "export/gguf_file.h"

namespace galore {

struct GgufSummary {
  size_t tensors = 0;
  uint64_t bytes = 0;
  std::vector<std::string> notes;  // where llama.cpp computes something else
};

// Converts config.json, the weights, the tokenizer and the chat template of `folder`. Weights are converted
// piece by piece. A setting that llama.cpp lacks is an Error that names it.
GgufSummary export_gguf(const Path& folder, const Path& output, GgufType type);

}  // namespace galore
