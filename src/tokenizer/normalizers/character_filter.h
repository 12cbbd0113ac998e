// Normalizers that treat each character by itself.
#pragma once

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {

inline bool keep_all(char32_t) { return true; }

// Rebuilds the text: keep(c) decides which characters stay, and put(result, c) appends one of them.
template <typename Keep, typename Put>
void filter_characters(NormalizedText& text, Keep keep, Put put) {
  std::string result;
  result.reserve(text.text.size());
  bool first = true;
  for_each_code_point(text.text, [&](CodePoint c, size_t offset) {
    if (!keep(c.value)) return;
    if (first && offset > 0) text.at_origin = false;
    first = false;
    put(result, c.value);
  });
  text.text = std::move(result);
}

class LowercaseNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

// Removes combining marks. Composed letters lose their accents only after NFD.
class StripAccentsNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

// Applies the cleanup of Google's NMT: removes control characters and replaces spaces of all kinds by blanks.
class NmtNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

}  // namespace galore
