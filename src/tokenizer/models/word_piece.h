#pragma once

#include "tokenizer/models/model.h"

namespace galore {

// The longest token that fits, again and again (BERT). A word with a part that no token fits is unknown as a
// whole, and so is one of more than max_input_chars_per_word characters.
class WordPieceModel : public Model {
 public:
  WordPieceModel(const JsonFields& fields, const ModelTables& tables);
  void encode(std::string_view piece, std::vector<int32_t>& ids) const override;

 private:
  bool encode_known(std::string_view piece, std::vector<int32_t>& ids) const;

  int32_t unknown_ = -1;
  std::string prefix_;  // of every part but the first: "##"
  int64_t most_characters_;
  size_t longest_token_ = 0;  // bytes
};

}  // namespace galore
