// From Oniguruma's regular expressions (syntax Ruby, the one of the Python package) to PCRE2's.
#pragma once

#include <string>
#include <string_view>

namespace galore {

// The same pattern for PCRE2 with UTF and MULTILINE. Classes of characters become those of Unicode 16,
// whatever version PCRE2 knows from 14 on. What has no translation is an Error at `where`.
std::string pcre2_pattern(std::string_view pattern, const std::string& where);

}  // namespace galore
