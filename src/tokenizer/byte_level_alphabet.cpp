#include "tokenizer/byte_level_alphabet.h"

#include <array>

#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int, 512> bytes;

  // Visible characters of Latin-1 stand for themselves. The other bytes get the characters from U+0100 on, in
  // order.
  Alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
      const char32_t c = visible ? byte : next++;
      characters[byte] = to_utf8(c);
      bytes[c] = static_cast<int>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view byte_level_character(unsigned char byte) { return alphabet().characters[byte]; }

int byte_of_character(char32_t c) { return c < alphabet().bytes.size() ? alphabet().bytes[c] : -1; }

void append_byte_level(std::string& result, std::string_view bytes) {
  const auto& characters = alphabet().characters;
  for (const char byte : bytes) result += characters[static_cast<unsigned char>(byte)];
}

}  // namespace galore
