// The abilities of a terminal, and coloured text.
#pragma once

#include <string>

namespace galore {

// Returns true when a progress bar can be drawn on this file descriptor: it is a terminal that can clear a
// line.
bool is_capable_terminal(int descriptor);
// Returns true when the terminal is capable and the user does not refuse colours (no-color.org).
bool wants_colours(int descriptor);
// Returns the current number of columns, or 80 when it is unknown.
int terminal_columns(int descriptor);

enum class Tone { plain, note, result, error };
// Returns `text` in the colour of its tone, or unchanged when `coloured` is false.
std::string painted(const std::string& text, Tone tone, bool coloured);

}  // namespace galore
