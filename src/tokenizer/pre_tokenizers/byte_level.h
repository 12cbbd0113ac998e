#pragma once

#include "tokenizer/json_fields.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/regex/regex.h"

namespace galore {

// ByteLevel: puts a blank in front (add_prefix_space), splits by GPT-2's pattern (use_regex) and writes bytes
// as visible characters.
class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  explicit ByteLevelPreTokenizer(const JsonFields& fields);
  void split(const TextPiece& piece, PieceSink& sink) const override;
  bool leave_bytes_plain() override { return plain_ = true; }

 private:
  void split_plain(const TextPiece& piece, PieceSink& sink) const;

  bool add_prefix_space_, use_regex_, plain_ = false;
  Regex pattern_;
};

}  // namespace galore
