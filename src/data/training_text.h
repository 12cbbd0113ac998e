// Opens data files as text to train a tokenizer on.
#pragma once

#include <memory>

#include "data/documents.h"
#include "tokenizer/training_text.h"

namespace galore {

// Gives the lines of a file's text: all lines of a text file, or the lines of the texts in the rows of a
// .jsonl, .json or .parquet. Rows with input_ids and .bin files are Errors.
std::unique_ptr<TrainingText> open_training_text(const Path& path,
                                                 TextEncoding encoding = TextEncoding::utf8);

}  // namespace galore
