// galore train-tokenizer: a SentencePiece or byte-level tokenizer from text files.
#pragma once

#include <string>
#include <vector>

namespace galore {

int train_tokenizer_command(const std::vector<std::string>& arguments);

}  // namespace galore
