#include "report/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace galore {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The sixteen colours follow the theme of the user's terminal.
const char* code_of(Tone tone) {
  switch (tone) {
    case Tone::note:
      return "\033[33m";
    case Tone::result:
      return "\033[1;32m";
    case Tone::error:
      return "\033[1;31m";
    case Tone::plain:
      break;
  }
  return "";
}

}  // namespace

bool is_capable_terminal(int descriptor) {
  return ::isatty(descriptor) != 0 && environment("TERM") != "dumb";
}

bool wants_colours(int descriptor) {
  return is_capable_terminal(descriptor) && environment("NO_COLOR").empty();
}

int terminal_columns(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string painted(const std::string& text, Tone tone, bool coloured) {
  return coloured && tone != Tone::plain ? code_of(tone) + text + "\033[0m" : text;
}

}  // namespace galore
