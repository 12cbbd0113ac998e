// What AutoTokenizer.from_pretrained makes of a folder with a tokenizer.json, beyond that file itself.
//
// Follows transformers 4.57: tokenizer_config.json, special_tokens_map.json, added_tokens.json and
// config.json add tokens and, by the tokenizer's class, replace parts of the stages.
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

  // Changes that come before the stages are made: prefix blank, BERT's normalizer; truncation and padding go.
  void edit(nlohmann::json& settings) const;
  // Tokens that the files name and the stages lack, and the class's post-processor.
  void complete(const TokenizerFile& file, Pipeline::Stages& stages) const;

  // LlamaTokenizer with an add_prefix_space: transformers then makes the tokenizer of tokenizer.model anew.
  bool prefers_sentencepiece() const;
  // The text of "bos_token" and its like.
  std::optional<std::string> named_token(const std::string& key) const;
  bool clean_up_spaces() const { return flag("clean_up_tokenization_spaces", false); }
  bool split_special_tokens() const { return flag("split_special_tokens", false); }
  // Those that were found, to be copied beside a checkpoint.
  const std::vector<Path>& files() const { return files_; }

 private:
  // A special token, as a text or with all its properties.
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
  nlohmann::json config_;  // tokenizer_config.json, changed by the older files
  const TokenizerClass* class_ = nullptr;
  bool legacy_files_ = false;  // no added_tokens_decoder: the tokens of tokenizer.json count as named with it
  std::map<int64_t, AddedEntry> added_;
  std::map<std::string, NamedToken> named_;
  std::vector<NamedToken> additional_;
};

}  // namespace galore
