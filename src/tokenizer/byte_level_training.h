// Trains a byte-level byte pair encoding and writes it as a tokenizer.json that transformers loads.
//
// Text is split by Llama 3's pattern or, with split_digits, by Qwen2's, which makes every digit a piece of
// its own. All bytes can be represented and no text is normalized. The same texts and options give the same
// file, byte for byte, and the same merges as the Python package `tokenizers`.
#pragma once

#include "tokenizer/training_options.h"

namespace galore {

// Throws Error, and writes no file, when the text cannot give the vocabulary size that the options ask for.
void train_byte_level(const TokenizerTrainingOptions& options, const TrainingMessages& sink = {});

}  // namespace galore
