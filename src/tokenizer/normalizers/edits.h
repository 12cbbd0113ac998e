// Normalizers that insert, remove or replace text.
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

// Puts a prefix before every text that is not empty.
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
  std::unique_ptr<Regex> regex_;  // null when literal_ is true
};

// Replaces every byte by the visible character that byte-level vocabularies write for it.
class ByteLevelNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

// Runs several normalizers in order. A hostile file could let each of them multiply the text's length until
// memory ends, so a text that grows beyond 256 times its bytes plus 1 MiB is an Error. Unicode's normal forms
// turn three bytes into at most 33.
class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  std::string where_;
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

}  // namespace galore
