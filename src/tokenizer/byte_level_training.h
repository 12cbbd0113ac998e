// Trains a byte-level byte pair encoding and writes it as a tokenizer.json that transformers loads.
//
// The text is cut as Llama 3's pattern cuts it (as Qwen2's, where every digit stands alone); every byte is
// representable and nothing is normalized. Same texts and options give the same file, byte for byte, and the
// merges that the Python package `tokenizers` would learn.
#pragma once

#include "tokenizer/training_options.h"

namespace galore {

// A vocabulary that is too small or too large for the text is an Error that says so; nothing is written then.
void train_byte_level(const TokenizerTrainingOptions& options, const TrainingMessages& sink = {});

}  // namespace galore
