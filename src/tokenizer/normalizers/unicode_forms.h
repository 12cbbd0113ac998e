#pragma once

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode/normal_forms.h"

namespace galore {

// Brings the text into one of the Unicode normal forms NFC, NFD, NFKC and NFKD.
class UnicodeFormNormalizer : public Normalizer {
 public:
  explicit UnicodeFormNormalizer(NormalForm form) : form_(form) {}
  void normalize(NormalizedText& text) const override { text.text = normal_form(text.text, form_); }

 private:
  NormalForm form_;
};

}  // namespace galore
