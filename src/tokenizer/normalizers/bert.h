#pragma once

#include <optional>

#include "tokenizer/json_fields.h"
#include "tokenizer/normalizers/normalizer.h"

namespace galore {

// BertNormalizer: clean_text, handle_chinese_chars, strip_accents (as lowercase where it is null), lowercase.
class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  void normalize_ascii(NormalizedText& text) const;

  bool clean_text_, handle_chinese_, lowercase_, strip_accents_;
};

}  // namespace galore
