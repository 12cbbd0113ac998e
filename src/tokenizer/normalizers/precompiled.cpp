#include "tokenizer/normalizers/precompiled.h"

#include <utf8proc.h>

#include <array>
#include <cstring>

#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

constexpr size_t kLongestWholeGrapheme = 5;  // bytes

std::string from_base64(const std::string& text, const JsonFields& fields) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) fail(fields.where(), "precompiled_charsmap: not in base 64");
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

// These functions read the fields of a trie unit of Darts-clone.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) == 1; }
uint32_t value_of(uint32_t unit) { return unit & 0x7fffffffU; }
uint32_t label_of(uint32_t unit) { return unit & (1U << 31 | 0xff); }
uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & 1U << 9) >> 6); }

}  // namespace

PrecompiledNormalizer::PrecompiledNormalizer(const JsonFields& fields) {
  const std::string bytes = from_base64(fields.text("precompiled_charsmap"), fields);
  uint32_t trie_bytes = 0;
  if (bytes.size() >= sizeof trie_bytes) std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  if (bytes.size() < sizeof trie_bytes || trie_bytes % 4 != 0 ||
      trie_bytes > bytes.size() - sizeof trie_bytes)
    fail(fields.where(), "precompiled_charsmap: its {} bytes are no compiled table", bytes.size());
  trie_.resize(trie_bytes / 4);
  if (!trie_.empty()) std::memcpy(trie_.data(), bytes.data() + sizeof trie_bytes, trie_bytes);
  texts_ = bytes.substr(sizeof trie_bytes + trie_bytes);
}

bool PrecompiledNormalizer::transform(std::string_view chunk, std::string_view& replacement) const {
  if (trie_.empty()) return false;
  size_t at = offset_of(trie_[0]);
  for (const char byte : chunk) {
    const auto label = static_cast<unsigned char>(byte);
    if (label == 0) return false;
    at ^= label;
    if (at >= trie_.size() || label_of(trie_[at]) != label) return false;
    const uint32_t unit = trie_[at];
    at ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (at >= trie_.size()) return false;
    const size_t begin = value_of(trie_[at]);
    if (begin > texts_.size()) return false;
    const size_t end = std::min(texts_.find('\0', begin), texts_.size());
    replacement = std::string_view(texts_).substr(begin, end - begin);
    return true;
  }
  return false;
}

void PrecompiledNormalizer::append_grapheme(std::string& result, std::string_view grapheme) const {
  std::string_view replacement;
  if (grapheme.size() <= kLongestWholeGrapheme && transform(grapheme, replacement)) {
    result += replacement;
    return;
  }
  for_each_code_point(grapheme, [&](CodePoint c, size_t offset) {
    const std::string_view part = grapheme.substr(offset, c.bytes);
    result += transform(part, replacement) ? replacement : part;
  });
}

void PrecompiledNormalizer::normalize(NormalizedText& text) const {
  const std::string_view all = text.text;
  std::string result;
  result.reserve(all.size());
  utf8proc_int32_t state = 0;
  char32_t previous = 0;
  size_t begin = 0;
  const auto flush = [&](size_t end) {
    append_grapheme(result, all.substr(begin, end - begin));
    if (result.empty() && end > 0) text.at_origin = false;
    begin = end;
  };
  for_each_code_point(all, [&](CodePoint c, size_t offset) {
    if (offset > 0 && utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous),
                                                       static_cast<utf8proc_int32_t>(c.value), &state))
      flush(offset);
    previous = c.value;
  });
  flush(all.size());
  text.text = std::move(result);
}

}  // namespace galore
