// Trains a SentencePiece byte pair encoding in the form of Llama's: identity normalization, digits apart,
// every byte representable. Same texts and options give the same file, byte for byte.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

struct SentencePieceTrainingOptions {
  std::vector<Path> inputs;  // texts, one sentence per line
  Path output;               // folder for tokenizer.model and the files transformers wants beside it
  int64_t vocab_size = 32000;
  double character_coverage = 0.9995;  // share of the characters that become pieces; the rest are bytes
  int64_t max_sentences = 0;           // 0: all; else a uniform sample of that many lines
  uint64_t seed = 42;                  // of that sample
  bool split_digits = true;
  bool add_bos_token = true;
  bool add_eos_token = false;
  int64_t model_max_length = 0;  // 0: not written
};

using TrainingMessages = std::function<void(const std::string&)>;

// Lines longer than 4096 bytes are cut at blanks. A vocabulary that is too small or too large for the text is
// an Error that says so; nothing is written then.
void train_sentencepiece(const SentencePieceTrainingOptions& options, const TrainingMessages& sink = {});

}  // namespace galore
