#include "tokenizer/normalizers/edits.h"

#include "tokenizer/byte_level_alphabet.h"
#include "tokenizer/text_repair.h"
#include "tokenizer/unicode/character_classes.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {

void StripNormalizer::normalize(NormalizedText& text) const {
  std::string_view rest = text.text;
  while (left_ && !rest.empty() && is_white_space(first_code_point(rest).value))
    rest.remove_prefix(first_code_point(rest).bytes);
  if (rest.size() < text.text.size()) text.at_origin = false;
  while (right_ && !rest.empty() && is_white_space(last_code_point(rest).value))
    rest.remove_suffix(last_code_point(rest).bytes);
  text.text = std::string(rest);
}

ReplaceNormalizer::ReplaceNormalizer(const JsonFields& fields) : content_(fields.text("content")) {
  const JsonFields::Pattern pattern = fields.pattern("pattern");
  literal_ = !pattern.is_regex && !pattern.text.empty();
  from_ = pattern.text;
  if (!literal_) regex_ = std::make_unique<Regex>(pattern.text, fields.place("pattern"));
}

void ReplaceNormalizer::normalize(NormalizedText& text) const {
  if (literal_) {
    if (content_.empty() && text.text.starts_with(from_)) text.at_origin = false;
    text.text = replace_all(std::move(text.text), from_, content_);
    return;
  }
  std::string result;
  size_t end = 0;
  RegexMatches matches(*regex_, text.text);
  for (Regex::Match match; matches.next(match); end = match.end) {
    if (match.begin == 0 && match.end > 0 && content_.empty()) text.at_origin = false;
    result.append(text.text, end, match.begin - end);
    result += content_;
  }
  result.append(text.text, end);
  text.text = std::move(result);
}

void ByteLevelNormalizer::normalize(NormalizedText& text) const {
  std::string result;
  append_byte_level(result, text.text);
  text.text = std::move(result);
}

NormalizerSequence::NormalizerSequence(const JsonFields& fields) : where_(fields.place("normalizers")) {
  const nlohmann::json& list = fields.array("normalizers");
  for (size_t i = 0; i < list.size(); ++i)
    parts_.push_back(make_normalizer(list[i], fields.place(fmt::format("normalizers[{}]", i))));
}

void NormalizerSequence::normalize(NormalizedText& text) const {
  const size_t given = text.text.size(), most = given * 256 + (1 << 20);
  for (size_t i = 0; i < parts_.size(); ++i) {
    parts_[i]->normalize(text);
    if (text.text.size() > most)
      fail(where_, "normalizers[{}] makes {} bytes of a text of {}: expected at most {}", i, text.text.size(),
           given, most);
  }
}

}  // namespace galore
