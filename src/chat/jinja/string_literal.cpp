#include "chat/jinja/string_literal.h"

#include "chat/jinja/budget.h"
#include "tokenizer/unicode/code_points.h"

namespace galore::jinja {
namespace {

int digit_value(char c, int base) {
  int value = 99;
  if (c >= '0' && c <= '9') value = c - '0';
  if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
  return value < base ? value : -1;
}

// Reads up to `most` digits at `at`, which moves behind them.
char32_t read_digits(std::string_view text, size_t& at, size_t most, int base) {
  char32_t value = 0;
  for (size_t i = 0; i < most && at < text.size() && digit_value(text[at], base) >= 0; ++i, ++at)
    value = value * static_cast<char32_t>(base) + static_cast<char32_t>(digit_value(text[at], base));
  return value;
}

char simple_escape(char c) {
  constexpr std::string_view kNames = "\\'\"abfnrtv", kValues = "\\'\"\a\b\f\n\r\t\v";
  const size_t found = kNames.find(c);
  return found == std::string_view::npos ? '\0' : kValues[found];
}

char32_t hexadecimal(std::string_view text, size_t& at, size_t digits) {
  const size_t begin = at;
  const char32_t c = read_digits(text, at, digits, 16);
  if (at - begin < digits) raise("truncated escape in a string literal");
  return c;
}

bool is_surrogate(char32_t c) { return c >= 0xd800 && c < 0xe000; }

}  // namespace

std::string unescaped(std::string_view literal) {
  std::string out;
  for (size_t at = 0; at < literal.size();) {
    const char c = literal[at++];
    if (c != '\\' || at == literal.size()) {
      out += c;
      continue;
    }
    const char kind = literal[at++];
    if (kind == '\n') continue;
    if (simple_escape(kind) != '\0') {
      out += simple_escape(kind);
    } else if (kind == 'x' || kind == 'u' || kind == 'U') {
      char32_t code = hexadecimal(literal, at, kind == 'x' ? 2 : kind == 'u' ? 4 : 8);
      if (is_surrogate(code) && code < 0xdc00 && literal.substr(at).starts_with("\\u")) {
        at += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + (hexadecimal(literal, at, 4) - 0xdc00);
      }
      if (code > 0x10ffff || is_surrogate(code)) raise("a string literal names no character");
      append_utf8(out, code);
    } else if (digit_value(kind, 8) >= 0) {
      append_utf8(out, read_digits(literal, --at, 3, 8));
    } else {
      out += '\\';
      out += kind;
    }
  }
  return out;
}

}  // namespace galore::jinja
