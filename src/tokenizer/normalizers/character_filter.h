// Normalizers that look at one character after the other.
#pragma once

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {

inline bool keep_all(char32_t) { return true; }

// Rebuilds the text: keep(c) says which characters stay, and put(result, c) writes one of them.
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

// Drops combining marks; accents of composed letters only fall behind an NFD.
class StripAccentsNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

// The clean-up of Google's NMT: control characters go, spaces of all kinds become blanks.
class NmtNormalizer : public Normalizer {
 public:
  void normalize(NormalizedText& text) const override;
};

}  // namespace galore
