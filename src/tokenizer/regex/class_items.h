// Parts of PCRE2 character classes that have Oniguruma's meaning of \s, \w, \p{L} and others.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galore::class_items {

// These functions return text to put between the brackets of a class.
std::string white_space();
std::string not_white_space();
std::string word();
std::string digit();
// Returns the class items of \p{name} or [[:name:]], or nothing when the name is not known to mean the same
// in both libraries.
std::optional<std::string> property(std::string_view name);
// Returns the characters that a newer Unicode version has removed from \p{name}. Only C and Cn have any.
std::string taken_out(std::string_view name);

}  // namespace galore::class_items
