// Small text operations that several tokenizers use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace galore {

std::string replace_all(std::string text, std::string_view from, std::string_view to);
// Returns true when the bytes are complete UTF-8 in shortest form.
bool is_valid_utf8(std::string_view bytes);
// Returns the position of the first byte that is not part of a UTF-8 character, or npos.
size_t first_invalid_utf8(std::string_view bytes);
// Returns "" for UTF-8, and otherwise a message that begins with [file:line] and names the first byte that is
// none. The text begins in line `line`.
std::string utf8_fault(const std::string& file, int64_t line, std::string_view text);
// Returns the bytes when they are valid UTF-8, and otherwise one U+FFFD for each byte (ByteFallback of
// `tokenizers`).
std::string repaired_bytes(std::string_view bytes);
// Replaces each maximal invalid part by U+FFFD, like from_utf8_lossy of Rust and errors="replace" of Python.
std::string lossy_utf8(std::string_view bytes);
// Removes blanks before punctuation and English contractions (clean_up_tokenization of transformers).
std::string clean_up_spaces(std::string text);
// Replaces line ends by blanks, for messages of other libraries.
std::string one_line(std::string text);

}  // namespace galore
