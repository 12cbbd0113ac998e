// Trains a SentencePiece byte pair encoding in Llama's form: identity normalization, and bytes for characters
// without a piece. The same texts and options give the same file, byte for byte.
#pragma once

#include "tokenizer/training_options.h"

namespace galore {

// Lines longer than 4096 bytes are cut at blanks. Throws Error, and writes no file, when the text cannot give
// the vocabulary size that the options ask for.
void train_sentencepiece(const TokenizerTrainingOptions& options, const TrainingMessages& sink = {});

}  // namespace galore
