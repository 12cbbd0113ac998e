// What a terminal can do, and text in colours.
#pragma once

#include <string>

namespace galore {

// Whether a bar may be drawn on this file descriptor: a terminal that can clear a line.
bool is_capable_terminal(int descriptor);
// The same, and colours are not refused (no-color.org).
bool wants_colours(int descriptor);
// Columns now; 80 where that is unknown.
int terminal_columns(int descriptor);

enum class Tone { plain, note, result, error };
// `text` in the colour of its tone, if `coloured`.
std::string painted(const std::string& text, Tone tone, bool coloured);

}  // namespace galore
