#pragma once

#include "tokenizer/json_fields.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace galore {

// Metaspace: blanks become a visible character (U+2581), one is put in front, and words begin at it. Old
// files say add_prefix_space for prepend_scheme and may have the character in str_rep.
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
