#include "tokenizer/text_repair.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace galore {
namespace {

// The character at the front of a text. `length` is its length or, when it is invalid, the length of the
// longest valid beginning of a character (Unicode 16, table 3-7).
struct FrontCharacter {
  size_t length = 0;
  bool valid = false;
};

FrontCharacter front_character(std::string_view bytes) {
  const auto at = [&](size_t i) { return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : uint8_t{0}; };
  const uint8_t first = at(0);
  if (first < 0x80) return {1, true};
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (at(1) < least || at(1) > most) return {1, false};
  for (size_t i = 2; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80) return {i, false};
  return {length, true};
}

}  // namespace

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  size_t found = text.find(from);
  if (found == std::string::npos) return text;
  std::string result;
  size_t done = 0;
  for (; found != std::string::npos; found = text.find(from, done)) {
    result.append(text, done, found - done);
    result += to;
    done = found + from.size();
  }
  return result.append(text, done);
}

bool is_valid_utf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

size_t first_invalid_utf8(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string_view::npos;
  size_t position = 0;
  for (;;) {
    const FrontCharacter front = front_character(bytes.substr(position));
    if (!front.valid) return position;
    position += front.length;
  }
}

std::string utf8_fault(const std::string& file, int64_t line, std::string_view text) {
  const size_t bad = first_invalid_utf8(text);
  if (bad == std::string_view::npos) return "";
  const std::string_view before = text.substr(0, bad);
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format(
      "[{}:{}] expected UTF-8, byte {} of the line is {:#04x}: give encoding=latin-1 (or windows-1252, "
      "utf-16) "
      "or convert the file",
      file, line + std::count(before.begin(), before.end(), '\n'), bad - line_begin + 1,
      static_cast<unsigned char>(text[bad]));
}

std::string lossy_utf8(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string text;
  while (!bytes.empty()) {
    const FrontCharacter front = front_character(bytes);
    text += front.valid ? bytes.substr(0, front.length) : std::string_view("\xef\xbf\xbd");
    bytes.remove_prefix(front.length);
  }
  return text;
}

std::string repaired_bytes(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) text += "\xef\xbf\xbd";
  return text;
}

std::string clean_up_spaces(std::string text) {
  constexpr std::pair<const char*, const char*> kRules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = replace_all(std::move(text), from, to);
  return text;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace galore
