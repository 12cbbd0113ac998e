// Translates Oniguruma's regular expressions (the Ruby syntax, as in the Python package) to PCRE2's.
#pragma once

#include <string>
#include <string_view>

namespace galore {

// Returns the same pattern for PCRE2 with UTF and MULTILINE. Character classes are those of Unicode 16
// whatever version PCRE2 knows, from 14 on. A construct without translation is an Error at `where`.
std::string pcre2_pattern(std::string_view pattern, const std::string& where);

}  // namespace galore
