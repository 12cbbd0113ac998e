// The changes that AutoTokenizer.from_pretrained makes to a tokenizer.json because of other files in its
// folder.
//
// Follows transformers 4.57: tokenizer_config.json, special_tokens_map.json, added_tokens.json and
// config.json add tokens and, depending on the tokenizer's class, replace parts of the stages.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "tokenizer/tokenizer_classes.h"
#include "tokenizer/tokenizer_file.h"

namespace galore {

class PretrainedFolder {
 public:
  explicit PretrainedFolder(const Path& folder);

  // Changes the settings before the stages are made: sets the prefix blank and BERT's normalizer, and removes
  // truncation and padding.
  void edit(nlohmann::json& settings) const;
  // Adds the tokens that the files name and the stages lack, and sets the post-processor of the class.
  void complete(const TokenizerFile& file, Pipeline::Stages& stages) const;

  // True for a LlamaTokenizer with add_prefix_space, for which transformers converts tokenizer.model again.
  bool prefers_sentencepiece() const;
  // Returns the text of a named token such as "bos_token".
  std::optional<std::string> named_token(const std::string& key) const;
  bool clean_up_spaces() const { return flag("clean_up_tokenization_spaces", false); }
  bool split_special_tokens() const { return flag("split_special_tokens", false); }
  // Returns the files that were found; they are copied into every checkpoint.
  const std::vector<Path>& files() const { return files_; }

 private:
  // A special token that a file gives as a text or as an object with all its properties.
  struct NamedToken {
    std::string content;
    std::optional<AddedEntry> entry;
  };

  nlohmann::json read(const char* name, bool copied);
  void read_added_tokens(const nlohmann::json& special_tokens_map, const nlohmann::json& added_tokens);
  void read_named_tokens();
  NamedToken named(const nlohmann::json& value) const;
  NamedToken with_class_properties(const std::string& key, NamedToken token) const;
  bool flag(const char* key, bool missing) const;
  std::vector<NamedToken> all_special() const;
  std::vector<AddedEntry> tokens_to_add(const TokenizerFile& file, const AddedVocabulary& added) const;
  std::unique_ptr<PostProcessor> bos_template(const Pipeline::Stages& stages) const;

  Path folder_;
  std::vector<Path> files_;
  std::string where_;
  nlohmann::json config_;  // tokenizer_config.json with the changes of the older files
  const TokenizerClass* class_ = nullptr;
  // There is no added_tokens_decoder, so the tokens of tokenizer.json count as named with it.
  bool legacy_files_ = false;
  std::map<int64_t, AddedEntry> added_;
  std::map<std::string, NamedToken> named_;
  std::vector<NamedToken> additional_;
};

}  // namespace galore
