// SentencePiece's mark of a blank and so of a word's start.
#pragma once

#include <string_view>

namespace galore {

inline constexpr std::string_view kWordStart = "\xe2\x96\x81";  // U+2581

}  // namespace galore
