// Continues a sequence of tokens, or a text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/causal_lm.h"

namespace galore {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  bool do_sample = false;  // false: takes the most probable token each time
  // These options have transformers' order and meaning: repetition_penalty applies to the tokens of the
  // sequence, including the prompt, also without sampling; then come temperature, top_h, top_k, top_p and
  // min_p.
  double repetition_penalty = 1;
  double temperature = 1;  // 0: the most probable token, as without sampling
  // Keeps the most probable tokens while the sum of their -p log p is at most this share of the entropy
  // (Nguyen et al., 2025). As in transformers, p are shares among the 100 most probable tokens. 0: all
  // tokens.
  double top_h = 0;
  int64_t top_k = 50;  // 0: all tokens
  double top_p = 1;
  double min_p = 0;  // share of the most probable token's probability
  uint64_t seed = 42;
  std::vector<int64_t> stop_ids;  // generation ends after any of them
};

// Computes the logits at the end of a sequence, and only for the tokens that it has not seen before. A
// sequence that does not go on from the one before is computed from its start.
class CachedSequence {
 public:
  explicit CachedSequence(CausalLM& model) : model_(model) {}
  // `room` is the number of tokens that are expected to follow. Returns [vocabulary] in fp32 on the CPU.
  at::Tensor next_logits(const std::vector<int64_t>& sequence, int64_t room);
  // Returns the number of tokens of the last sequence that were not computed again.
  int64_t reused() const { return reused_; }
  CausalLM& model() const { return model_; }

 private:
  CausalLM& model_;
  std::unique_ptr<KeyValueCache> cache_;
  std::vector<int64_t> seen_;
  int64_t capacity_ = 0, reused_ = 0;
};

// Returns the new tokens. `receive` is called with each of them as it comes; generation ends when it returns
// false.
std::vector<int64_t> generate(CausalLM& model, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options,
                              const std::function<bool(int64_t)>& receive = {});

// Goes on from the tokens that `sequence` has seen, if the prompt begins with them.
std::vector<int64_t> generate(CachedSequence& sequence, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options,
                              const std::function<bool(int64_t)>& receive = {});

struct Candidate {
  int64_t id;
  double probability;
};

// Returns the tokens from which the next one is sampled, the most probable first, with probabilities that sum
// to 1. logits are [vocabulary], fp32, on the CPU; sequence holds all tokens so far.
std::vector<Candidate> sampling_candidates(const at::Tensor& logits, const std::vector<int64_t>& sequence,
                                           const GenerateOptions& options);

// Returns the text of a sequence of tokens.
using Decode = std::function<std::string(const std::vector<int64_t>&)>;

// Gives the text of tokens that arrive one by one. All tokens are decoded each time, because the text of a
// token depends on the tokens before it.
class TextStream {
 public:
  TextStream(Decode decode, std::vector<int64_t> prompt);
  // Returns the text that this token completes, or "" while a character lacks bytes.
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

// Generates until a limit in the options is reached or the new text contains one of `stop_strings`. `receive`
// gets each piece of new text.
GeneratedText generate_text(CausalLM& model, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode,
                            const std::function<void(const std::string&)>& receive = {});
GeneratedText generate_text(CachedSequence& sequence, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode,
                            const std::function<void(const std::string&)>& receive = {});

}  // namespace galore
