#include "tokenizer/decoders/bytes.h"

#include "tokenizer/byte_level_alphabet.h"
#include "tokenizer/text_repair.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

// Returns the bytes that a token stands for, or the token itself when one of its characters stands for no
// byte.
std::string bytes_of(const std::string& token) {
  std::string bytes;
  bool known = true;
  for_each_code_point(token, [&](CodePoint c, size_t) {
    const int byte = byte_of_character(c.value);
    known = known && byte >= 0;
    bytes += static_cast<char>(byte);
  });
  return known ? bytes : token;
}

int hexadecimal_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Returns the byte that a token like <0x0A> stands for, or -1. A plus sign may replace the first digit
// because Rust's number parser accepts it.
int byte_of_token(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = token[3] == '+' ? 0 : hexadecimal_digit(token[3]), low = hexadecimal_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

void ByteLevelDecoder::decode(std::vector<std::string>& tokens) const {
  std::string bytes;
  for (const std::string& token : tokens) bytes += bytes_of(token);
  tokens = {lossy_utf8(bytes)};
}

void ByteFallbackDecoder::decode(std::vector<std::string>& tokens) const {
  std::vector<std::string> result;
  std::string bytes;
  const auto flush = [&] {
    if (!bytes.empty()) result.push_back(repaired_bytes(bytes));
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = byte_of_token(token); byte >= 0) {
      bytes += static_cast<char>(byte);
      continue;
    }
    flush();
    result.push_back(std::move(token));
  }
  flush();
  tokens = std::move(result);
}

}  // namespace galore
