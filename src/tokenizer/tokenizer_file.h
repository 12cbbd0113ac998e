// Reads a tokenizer.json: its settings as a JSON tree, and the long lists of the model as tables.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"
#include "tokenizer/pipeline.h"

namespace galore {

struct TokenizerFile {
  std::string where;        // names the file in messages
  nlohmann::json settings;  // without model.vocab and model.merges
  ModelTables tables;
};

// Reads the file. A truncated, altered or hostile file is an Error.
TokenizerFile read_tokenizer_file(const Path& path);

// Makes the stages that the file describes. Ids of its added tokens follow their order, as in the Python
// package.
Pipeline::Stages make_stages(const TokenizerFile& file);

}  // namespace galore
