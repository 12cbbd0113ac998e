// Splits the source of a template into tokens, with the white space control of
// Environment(trim_blocks=True, lstrip_blocks=True).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja/budget.h"

namespace galore::jinja {

enum class TokenKind {
  data,            // text between tags
  variable_begin,  // {{
  variable_end,
  block_begin,  // {%
  block_end,
  name,
  text,     // a string literal, without quotes and escapes
  integer,  // digits without underscores; base 0b, 0o and 0x included
  real,
  sign,  // an operator or a bracket
  end
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string value;
  int line = 1;
};

// The source must be valid UTF-8. A source that is not a template is a Fault with its line.
std::vector<Token> tokens_of(std::string_view source, const Limits& limits);

}  // namespace galore::jinja
