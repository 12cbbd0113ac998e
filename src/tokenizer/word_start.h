// SentencePiece's mark for a blank, and so for the start of a word.
#pragma once

#include <string_view>

namespace galore {

inline constexpr std::string_view kWordStart = "\xe2\x96\x81";  // U+2581

}  // namespace galore
