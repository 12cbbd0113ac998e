// Continues a sequence of tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "models/causal_lm.h"

namespace galore {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  bool do_sample = false;  // false: the most probable token each time
  // In transformers' order and meaning: repetition_penalty on what the sequence has, prompt included (without
  // sampling too); then temperature, top_k, top_p, min_p.
  double repetition_penalty = 1;
  double temperature = 1;
  int64_t top_k = 50;  // 0: all
  double top_p = 1;
  double min_p = 0;  // of the most probable token's probability
  uint64_t seed = 42;
  std::vector<int64_t> stop_ids;  // generation ends after one of them
};

// New tokens only. `receive` sees each one as it comes; generation ends where it says false.
std::vector<int64_t> generate(CausalLM& model, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options,
                              const std::function<bool(int64_t)>& receive = {});

struct Candidate {
  int64_t id;
  double probability;
};

// What is sampled from: the tokens that the options leave, the most probable first; probabilities sum to 1.
// logits: [vocabulary], fp32, on the CPU; sequence: all tokens so far.
std::vector<Candidate> sampling_candidates(const at::Tensor& logits, const std::vector<int64_t>& sequence,
                                           const GenerateOptions& options);

}  // namespace galore
