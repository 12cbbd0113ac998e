// `galore train-tokenizer` trains a SentencePiece or byte-level tokenizer on text files.
#pragma once

#include <string>
#include <vector>

namespace galore {

int train_tokenizer_command(const std::vector<std::string>& arguments);

}  // namespace galore
