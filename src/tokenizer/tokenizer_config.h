// The settings in transformers' tokenizer files that change the ids of a SentencePiece tokenizer.
//
// They come from tokenizer_config.json, special_tokens_map.json, added_tokens.json and, when the folder also
// has a tokenizer.json, from its normalizer. Missing files leave LlamaTokenizer's defaults.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

struct AddedToken {
  std::string content;
  bool special = true;
  bool strip_left = false, strip_right = false;
};

struct TokenizerConfig {
  bool add_bos_token = true;
  bool add_eos_token = false;
  // True: every stretch of text between special tokens begins with a word start. False: only the whole text
  // does, and only when it does not begin with a blank.
  bool legacy = true;
  std::optional<bool> add_prefix_space;
  bool split_special_tokens = false;
  bool clean_up_spaces = false;
  std::optional<std::string> bos_token = "<s>", eos_token = "</s>", unk_token = "<unk>", pad_token;
  std::vector<std::string> other_special_tokens;
  std::map<int64_t, AddedToken> added_tokens;  // by id
  std::vector<Path> files;                     // files that were found; they are copied into every checkpoint
};

// Reads the settings of a folder. Unsupported tokenizer classes and broken JSON are Errors.
TokenizerConfig read_tokenizer_config(const Path& directory);

}  // namespace galore
