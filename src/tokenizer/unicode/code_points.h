// Iterates over the code points of a valid UTF-8 text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace galore {

struct CodePoint {
  char32_t value = 0;
  uint32_t bytes = 0;  // length of its UTF-8 form
};

// Returns the first code point of `text`, which must be valid UTF-8 and not empty.
inline CodePoint first_code_point(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {(lead & 0x1f) << 6 | (at(1) & 0x3f), 2};
  if (lead < 0xf0) return {(lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f), 3};
  return {(lead & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f), 4};
}

// Returns the last code point of a valid, non-empty text.
inline CodePoint last_code_point(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
  return first_code_point(text.substr(begin));
}

inline void append_utf8(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  if (c < 0x10000) return put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
}

inline std::string to_utf8(char32_t c) {
  std::string text;
  append_utf8(text, c);
  return text;
}

// Calls action(code point, offset in bytes) for every code point of a valid text.
template <typename Action>
void for_each_code_point(std::string_view text, Action action) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = first_code_point(text.substr(at));
    action(c, at);
    at += c.bytes;
  }
}

inline int64_t count_code_points(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

// Returns the length of the longest prefix of ASCII characters.
inline size_t ascii_prefix(std::string_view text) {
  size_t length = 0;
  while (length < text.size() && static_cast<unsigned char>(text[length]) < 0x80) ++length;
  return length;
}

}  // namespace galore
