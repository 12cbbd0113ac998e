// Decoders that mark or remove the boundaries of words.
#pragma once

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/regex/regex.h"

namespace galore {

class MetaspaceDecoder : public TokenDecoder {
 public:
  explicit MetaspaceDecoder(const JsonFields& fields);
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string replacement_;
  bool drops_first_;
};

class WordPieceDecoder : public TokenDecoder {
 public:
  explicit WordPieceDecoder(const JsonFields& fields)
      : prefix_(fields.text("prefix", "##")), cleanup_(fields.flag("cleanup", true)) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string prefix_;
  bool cleanup_;
};

class BpeDecoder : public TokenDecoder {
 public:
  explicit BpeDecoder(const JsonFields& fields) : suffix_(fields.text("suffix", "</w>")) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string suffix_;
};

// Decodes connectionist temporal classification: repeated tokens are joined into one and pad_token is
// removed.
class CtcDecoder : public TokenDecoder {
 public:
  explicit CtcDecoder(const JsonFields& fields)
      : pad_token_(fields.text("pad_token", "<pad>")),
        delimiter_(fields.text("word_delimiter_token", "|")),
        cleanup_(fields.flag("cleanup", true)) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string pad_token_, delimiter_;
  bool cleanup_;
};

}  // namespace galore
