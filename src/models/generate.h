// Continues a sequence of tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "models/causal_lm.h"

namespace galore {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  bool do_sample = true;  // false: the most probable token each time
  // In transformers' order and meaning: temperature, then top_k, then top_p.
  double temperature = 1;
  int64_t top_k = 50;  // 0: all
  double top_p = 1;
  uint64_t seed = 42;
  std::optional<int64_t> stop_id;  // generation ends after it
};

// New tokens only. `receive` sees each one as it comes.
std::vector<int64_t> generate(CausalLM& model, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options,
                              const std::function<void(int64_t)>& receive = {});

}  // namespace galore
