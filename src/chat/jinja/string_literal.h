// The escapes of string literals in templates.
#pragma once

#include <string>
#include <string_view>

namespace galore::jinja {

// Replaces the escapes of a literal as Python does. An unknown escape keeps its backslash.
std::string unescaped(std::string_view literal);

}  // namespace galore::jinja
