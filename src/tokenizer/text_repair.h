// Small operations on texts that the tokenizers share.
#pragma once

#include <string>
#include <string_view>

namespace galore {

std::string replace_all(std::string text, std::string_view from, std::string_view to);
// True for a whole, shortest-form UTF-8 text.
bool is_valid_utf8(std::string_view bytes);
// The bytes themselves when they are valid UTF-8, else one U+FFFD for each byte (ByteFallback of tokenizers).
std::string repaired_bytes(std::string_view bytes);
// Each maximal part that is no valid UTF-8 becomes U+FFFD (from_utf8_lossy of Rust, errors="replace" of
// Python).
std::string lossy_utf8(std::string_view bytes);
// clean_up_tokenization of transformers: no blank before punctuation and English contractions.
std::string clean_up_spaces(std::string text);
// Line ends become blanks: messages of other libraries in one line.
std::string one_line(std::string text);

}  // namespace galore
