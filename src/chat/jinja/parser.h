// Turns the source of a template into statements.
#pragma once

#include <string_view>

#include "chat/jinja/tree.h"

namespace galore::jinja {

struct ParsedTemplate {
  Body body;
  bool has_generation = false;  // there is a generation block
};

// A source that is not a template is a Fault with its line.
ParsedTemplate parse_template(std::string_view source, const Limits& limits);

}  // namespace galore::jinja
