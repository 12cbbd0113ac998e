// What training a tokenizer can be told, of either kind.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

struct TokenizerTrainingOptions {
  std::vector<Path> inputs;  // texts, one sentence per line
  Path output;               // folder for the tokenizer and the files transformers wants beside it
  int64_t vocab_size = 32000;
  double character_coverage =
      0.9995;                 // SentencePiece: share of the characters that become pieces; the rest are bytes
  int64_t min_frequency = 2;  // byte-level: pairs that stand less often in the text are not merged
  int64_t max_sentences = 0;  // 0: all; else a uniform sample of that many lines
  uint64_t seed = 42;         // of that sample
  bool split_digits = true;
  bool add_bos_token = true;
  bool add_eos_token = false;
  int64_t model_max_length = 0;  // 0: not written
};

inline constexpr const char* kTrainTokenizer = "train-tokenizer";  // names the command in messages

// No file to train on or no folder to write into is a UsageError.
void check_training_files(const TokenizerTrainingOptions& options);
void make_training_folder(const TokenizerTrainingOptions& options);

using TrainingMessages = std::function<void(const std::string&)>;

}  // namespace galore
