// `galore train-tokenizer` trains a SentencePiece or byte-level tokenizer on text files.
#pragma once

#include "cli/arguments.h"

namespace galore {

int train_tokenizer_command(const Arguments& arguments);

}  // namespace galore
