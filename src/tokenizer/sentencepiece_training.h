// Trains a SentencePiece byte pair encoding in the form of Llama's: identity normalization, digits apart,
// every byte representable. Same texts and options give the same file, byte for byte.
#pragma once

#include "tokenizer/training_options.h"

namespace galore {

// Lines longer than 4096 bytes are cut at blanks. A vocabulary that is too small or too large for the text is
// an Error that says so; nothing is written then.
void train_sentencepiece(const TokenizerTrainingOptions& options, const TrainingMessages& sink = {});

}  // namespace galore
