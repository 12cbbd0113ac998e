// Continues a sequence of tokens, or a text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
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

// The text of a sequence of tokens.
using Decode = std::function<std::string(const std::vector<int64_t>&)>;

// Text of tokens that come one by one. All tokens are decoded each time, because the text of a token depends
// on those before it.
class TextStream {
 public:
  TextStream(Decode decode, std::vector<int64_t> prompt);
  // The text that this token completes; "" while a character lacks bytes.
  std::string add(int64_t id);

 private:
  Decode decode_;
  std::vector<int64_t> ids_;
  std::string shown_;
};

struct GeneratedText {
  std::string text;
  std::vector<int64_t> ids;  // new tokens only
};

// Generation ends at the options' limits, or with the token by which the new text holds one of
// `stop_strings`. `receive` gets each piece of new text.
GeneratedText generate_text(CausalLM& model, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode,
                            const std::function<void(const std::string&)>& receive = {});

}  // namespace galore
