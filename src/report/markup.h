// Escapes text for HTML and SVG.
#pragma once

#include <string>

namespace galore {

inline std::string escaped_markup(const std::string& text) {
  std::string safe;
  for (const char c : text) safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
  return safe;
}

}  // namespace galore
