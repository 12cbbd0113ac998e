#include "tokenizer/normalizers/bert.h"

#include "tokenizer/normalizers/character_filter.h"
#include "tokenizer/unicode/character_classes.h"
#include "tokenizer/unicode/normal_forms.h"

namespace galore {
namespace {

void put_as_is(std::string& result, char32_t c) { append_utf8(result, c); }

}  // namespace

BertNormalizer::BertNormalizer(const JsonFields& fields)
    : clean_text_(fields.flag("clean_text", true)),
      handle_chinese_(fields.flag("handle_chinese_chars", true)),
      lowercase_(fields.flag("lowercase", true)),
      strip_accents_(fields.optional_flag("strip_accents").value_or(lowercase_)) {}

void BertNormalizer::normalize_ascii(NormalizedText& text) const {
  std::string& s = text.text;
  size_t kept = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    char c = s[i];
    if (clean_text_) {
      const bool control =
          (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
      if (control) {
        if (kept == 0) text.at_origin = false;
        continue;
      }
      if (c < 0x20) c = ' ';
    }
    if (lowercase_ && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    s[kept++] = c;
  }
  s.resize(kept);
}

void BertNormalizer::normalize(NormalizedText& text) const {
  if (ascii_prefix(text.text) == text.text.size()) return normalize_ascii(text);
  if (clean_text_)
    filter_characters(
        text, [](char32_t c) { return !is_removed_by_bert(c); },
        [](std::string& result, char32_t c) { append_utf8(result, is_white_space(c) ? U' ' : c); });
  if (handle_chinese_)
    filter_characters(text, keep_all, [](std::string& result, char32_t c) {
      const bool apart = is_chinese(c);
      if (apart) result += ' ';
      append_utf8(result, c);
      if (apart) result += ' ';
    });
  if (strip_accents_) {
    text.text = normal_form(text.text, NormalForm::nfd);
    filter_characters(
        text, [](char32_t c) { return !is_nonspacing_mark(c); }, put_as_is);
  }
  if (lowercase_)
    filter_characters(text, keep_all, [](std::string& result, char32_t c) { append_lowercase(result, c); });
}

}  // namespace galore
