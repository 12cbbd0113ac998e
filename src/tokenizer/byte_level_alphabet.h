// The 256 visible characters that stand for bytes in byte-level vocabularies (GPT-2's bytes_to_unicode).
#pragma once

#include <string>
#include <string_view>

namespace galore {

// The UTF-8 form of the character for a byte; one or two bytes long.
std::string_view byte_level_character(unsigned char byte);
// The byte that a character stands for, or -1.
int byte_of_character(char32_t c);
void append_byte_level(std::string& result, std::string_view bytes);

}  // namespace galore
