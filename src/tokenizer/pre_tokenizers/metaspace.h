#pragma once

#include "tokenizer/json_fields.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace galore {

// Metaspace: replaces blanks by a visible character (U+2581), puts one in front, and lets words begin at it.
// Old files use the key add_prefix_space instead of prepend_scheme and may give the character as str_rep.
class MetaspacePreTokenizer : public PreTokenizer {
 public:
  explicit MetaspacePreTokenizer(const JsonFields& fields);
  void split(const TextPiece& piece, PieceSink& sink) const override;

 private:
  enum class Prepend { always, first, never };
  static Prepend prepend_scheme(const JsonFields& fields);

  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

}  // namespace galore
