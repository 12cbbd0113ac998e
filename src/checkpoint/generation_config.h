// Reads a model's generation_config.json as transformers does.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/model_config.h"

namespace galore {

struct GenerationDefaults {
  // Values of the options with the same names, as text: do_sample, temperature, top_h, top_k, top_p, min_p,
  // repetition_penalty, max_new_tokens.
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<int64_t> stop_ids;          // eos_token_id of this file or, without it, of config.json
  std::vector<std::string> stop_strings;  // generation ends after any of them
};

// Returns the number, or the first one of a list, that the text of a config.json or generation_config.json
// has under a name such as eos_token_id.
std::optional<int64_t> named_token_id(const std::string& json, const char* name);

// Reads the file in the folder of the configuration. `options` holds only the settings that the file
// contains. A setting that would change the generated text and is not supported (such as beams) is an Error
// that names it.
GenerationDefaults generation_defaults(const ModelConfig& config);

}  // namespace galore
