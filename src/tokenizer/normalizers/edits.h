// Normalizers that put in, take out or replace.
#pragma once

#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/regex/regex.h"

namespace galore {

class StripNormalizer : public Normalizer {
 public:
  explicit StripNormalizer(const JsonFields& fields)
      : left_(fields.flag("strip_left", true)), right_(fields.flag("strip_right", true)) {}
  void normalize(NormalizedText& text) const override;

 private:
  bool left_, right_;
};

// Before every stretch of text that is not empty.
class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(const JsonFields& fields) : prefix_(fields.text("prepend")) {}
  void normalize(NormalizedText& text) const override {
    if (!text.text.empty()) text.text.insert(0, prefix_);
  }

 private:
  std::string prefix_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  explicit ReplaceNormalizer(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  bool literal_;
  std::string from_, content_;
  std::unique_ptr<Regex> regex_;  // null where literal
};

// Every byte becomes the visible character that byte-level vocabularies write for it.
class ByteLevelNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

// A file from outside could let each part multiply the text's length, and memory would end: a text that grows
// beyond 256 times its bytes and 1 MiB is an Error. The longest that Unicode's forms make of three bytes
// is 33.
class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  std::string where_;
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

}  // namespace galore
