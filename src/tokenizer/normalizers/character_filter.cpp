#include "tokenizer/normalizers/character_filter.h"

#include "tokenizer/unicode/character_classes.h"

namespace galore {
namespace {}  // namespace

void LowercaseNormalizer::normalize(NormalizedText& text) const {
  filter_characters(text, keep_all, [](std::string& result, char32_t c) { append_lowercase(result, c); });
}

void StripAccentsNormalizer::normalize(NormalizedText& text) const {
  if (ascii_prefix(text.text) == text.text.size()) return;
  filter_characters(
      text, [](char32_t c) { return !is_combining_mark(c); },
      [](std::string& result, char32_t c) { append_utf8(result, c); });
}

void NmtNormalizer::normalize(NormalizedText& text) const {
  filter_characters(
      text, [](char32_t c) { return !is_removed_by_nmt(c); },
      [](std::string& result, char32_t c) { append_utf8(result, is_space_for_nmt(c) ? U' ' : c); });
}

}  // namespace galore
