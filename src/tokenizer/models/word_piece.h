#pragma once

#include "tokenizer/models/model.h"

namespace galore {

// Takes the longest token that fits, repeatedly (BERT). A word is unknown as a whole when no token fits one
// of its parts or when it has more than max_input_chars_per_word characters.
class WordPieceModel : public Model {
 public:
  WordPieceModel(const JsonFields& fields, const ModelTables& tables);
  void encode(std::string_view piece, std::vector<int32_t>& ids) const override;

 private:
  bool encode_known(std::string_view piece, std::vector<int32_t>& ids) const;

  int32_t unknown_ = -1;
  std::string prefix_;  // the prefix of every token but a word's first: "##"
  int64_t most_characters_;
  size_t longest_token_ = 0;  // bytes
};

}  // namespace galore
