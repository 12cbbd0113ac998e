// Parts of a tokenizer.json and its tokenizer_config.json that all trained tokenizers have.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/training_options.h"

namespace galore {

struct SpecialToken {
  std::string text;
  int32_t id = 0;
};

// The special tokens of a trained tokenizer, sorted by id. `bos` and `eos` are their places in the list.
struct WrittenTokens {
  std::vector<SpecialToken> all;
  size_t bos = 0, eos = 0;
};

// The stages of a tokenizer.json apart from its added tokens and its post-processor.
struct WrittenStages {
  nlohmann::ordered_json normalizer, pre_tokenizer, decoder, model;
};

nlohmann::ordered_json tokenizer_json(const TokenizerTrainingOptions& options, const WrittenTokens& tokens,
                                      const WrittenStages& stages);
// Returns a tokenizer_config.json of class PreTrainedTokenizerFast, for which every version of transformers
// takes tokenizer.json as it is.
nlohmann::ordered_json tokenizer_config_json(const TokenizerTrainingOptions& options,
                                             const WrittenTokens& tokens);
// Returns the "model" of byte pair encoding with the given tokens by id and pairs by rank.
nlohmann::ordered_json bpe_json(const std::vector<std::string>& vocabulary,
                                const std::vector<std::pair<std::string, std::string>>& merges);

}  // namespace galore
