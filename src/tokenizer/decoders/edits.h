#pragma once

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/normalizers/edits.h"

namespace galore {

// Joins all tokens into one.
class FuseDecoder : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// Removes the character `content` from the ends of each token: at most `start` times in front and `stop`
// times at the end.
class StripDecoder : public TokenDecoder {
 public:
  explicit StripDecoder(const JsonFields& fields);
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string content_;
  int64_t start_, stop_;
};

class ReplaceDecoder : public TokenDecoder {
 public:
  explicit ReplaceDecoder(const JsonFields& fields) : replace_(fields) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  ReplaceNormalizer replace_;
};

class DecoderSequence : public TokenDecoder {
 public:
  explicit DecoderSequence(const JsonFields& fields);
  void decode(std::vector<std::string>& tokens) const override {
    for (const auto& part : parts_) part->decode(tokens);
  }

 private:
  std::vector<std::unique_ptr<TokenDecoder>> parts_;
};

}  // namespace galore
