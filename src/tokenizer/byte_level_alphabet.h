// The 256 visible characters that byte-level vocabularies write for the 256 bytes (GPT-2's bytes_to_unicode).
#pragma once

#include <string>
#include <string_view>

namespace galore {

// Returns the UTF-8 form of the character for a byte; it has one or two bytes.
std::string_view byte_level_character(unsigned char byte);
// Returns the byte that a character stands for, or -1 when it stands for none.
int byte_of_character(char32_t c);
void append_byte_level(std::string& result, std::string_view bytes);

}  // namespace galore
