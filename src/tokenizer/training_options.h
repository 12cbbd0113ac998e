// The options for training a tokenizer, byte-level or SentencePiece.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/training_text.h"

namespace galore {

struct TokenizerTrainingOptions {
  std::vector<Path> inputs;  // files with one sentence on each line of their text
  std::function<std::unique_ptr<TrainingText>(const Path&)> open = [](const Path& path) {
    return open_plain_text(path);
  };
  Path output;  // folder for the tokenizer and the configuration files that transformers needs
  int64_t vocab_size = 32000;
  double character_coverage =
      0.9995;  // SentencePiece: the share of characters that become pieces; the other characters become bytes
  int64_t min_frequency = 2;  // byte-level: pairs that occur less often in the text are not merged
  int64_t max_sentences = 0;  // 0: all lines; otherwise the size of a uniform sample
  uint64_t seed = 42;         // seed of the sample
  bool split_digits = true;
  bool add_bos_token = true;
  bool add_eos_token = false;
  int64_t model_max_length = 0;  // 0: it is not written
};

inline constexpr const char* kTrainTokenizer = "train-tokenizer";  // names the command in messages

// Throws UsageError when there is no file to train on or no folder to write into.
void check_training_files(const TokenizerTrainingOptions& options);
// Makes the folder and removes the files of another tokenizer from it.
void make_training_folder(const TokenizerTrainingOptions& options);

using TrainingMessages = std::function<void(const std::string&)>;

}  // namespace galore
