// Parts of a PCRE2 character class that mean what Oniguruma means by \s, \w, \p{L} and so on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galore::class_items {

// What may stand between the brackets of a class.
std::string white_space();
std::string not_white_space();
std::string word();
std::string digit();
// Of \p{name} or [[:name:]]; nothing for a name that is not known to be the same in both.
std::optional<std::string> property(std::string_view name);
// Characters that a younger Unicode has taken out of \p{name} (of C and Cn only); empty for all others.
std::string taken_out(std::string_view name);

}  // namespace galore::class_items
