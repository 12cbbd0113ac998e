// The changes that AutoTokenizer.from_pretrained makes to a tokenizer.json because of other files in its
// folder.
//
// A folder is read as the major version of transformers that wrote it reads it. In 4.57 the files
// tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json add tokens and, depending
// on the tokenizer's class, replace parts of the stages. Version 5 writes "backend": "tokenizers" and takes
// tokenizer.json as it is; the other files only add named tokens that it lacks.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "tokenizer/tokenizer_classes.h"
#include "tokenizer/tokenizer_file.h"

namespace galore {

// This is the order in which transformers adds the named tokens.
inline constexpr std::array kNamedTokens = {"bos_token", "eos_token", "unk_token", "sep_token",
                                            "pad_token", "cls_token", "mask_token"};

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
  // True if decoded text loses blanks before punctuation. Version 5 leaves the text of a BPE model alone.
  bool clean_up_spaces(bool model_is_bpe) const;
  bool split_special_tokens() const { return flag("split_special_tokens", false); }
  // Returns the files that were found; they are copied into every checkpoint.
  const std::vector<Path>& files() const { return files_; }

 private:
  // A special token that a file gives as a text or as an object with all its properties.
  struct NamedToken {
    std::string content;
    std::optional<AddedEntry> entry;
    bool is_default = false;  // named by the class alone
  };

  nlohmann::json read(const char* name, bool copied);
  bool written_by_version_5(const nlohmann::json& model_config) const;
  void read_added_tokens(const nlohmann::json& special_tokens_map, const nlohmann::json& added_tokens);
  void read_named_tokens();
  NamedToken named(const nlohmann::json& value) const;
  NamedToken with_class_properties(const std::string& key, NamedToken token) const;
  bool flag(const char* key, bool missing) const;
  std::vector<NamedToken> all_special() const;
  std::map<int64_t, AddedEntry> added_tokens_of(const TokenizerFile& file) const;
  std::vector<AddedEntry> tokens_to_add(const TokenizerFile& file, const AddedVocabulary& added) const;
  std::unique_ptr<PostProcessor> bos_template(const Pipeline::Stages& stages) const;

  Path folder_;
  std::vector<Path> files_;
  std::string where_;
  nlohmann::json config_;  // tokenizer_config.json with the changes of the older files
  const TokenizerClass* class_ = nullptr;
  bool version_5_ = false;
  // There is no added_tokens_decoder, so the tokens of tokenizer.json count as named with it.
  bool legacy_files_ = false;
  std::map<int64_t, AddedEntry> added_;
  std::map<std::string, NamedToken> named_;
  std::vector<NamedToken> additional_;
};

}  // namespace galore
