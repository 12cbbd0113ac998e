// What a model's generation_config.json says about generating, as transformers reads it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/model_config.h"

namespace galore {

struct GenerationDefaults {
  // Values of the options of the same names, as text: do_sample, temperature, top_k, top_p, min_p,
  // repetition_penalty, max_new_tokens.
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<int64_t> stop_ids;          // eos_token_id: of this file, or else of config.json
  std::vector<std::string> stop_strings;  // generation ends after one of them
};

// Of the folder the configuration was read from; what it does not say is not in `options`. A setting that
// would change what is generated and cannot be done (beams, ...) is an Error that names it.
GenerationDefaults generation_defaults(const ModelConfig& config);

}  // namespace galore
