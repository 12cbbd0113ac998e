#pragma once

#include <optional>

#include "tokenizer/json_fields.h"
#include "tokenizer/normalizers/normalizer.h"

namespace galore {

// BertNormalizer with the options clean_text, handle_chinese_chars, lowercase and strip_accents, which
// follows lowercase when it is null.
class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  void normalize_ascii(NormalizedText& text) const;

  bool clean_text_, handle_chinese_, lowercase_, strip_accents_;
};

}  // namespace galore
