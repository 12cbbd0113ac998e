// Texts as Python makes them: repr(), str(), characters, letter cases. All texts are valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja/value.h"

namespace galore::jinja {

// Returns the code points of a text, as Python's strings hold them.
std::vector<std::string_view> characters_of(std::string_view text);
std::vector<std::string_view> characters_of(std::string&&) = delete;  // the views would outlive the text
int64_t count_characters(std::string_view text);
// Returns the offset in bytes of the character with this number, or the text's length.
size_t offset_of_character(std::string_view text, int64_t number);

// Returns the shortest text that reads back as this number: "1.0", "1e-05", "inf".
std::string repr_of_real(double value);
std::string repr_of_text(std::string_view text);
// Return Python's repr() and str(). An undefined value prints as nothing.
std::string repr(Budget& budget, const Value& value);
std::string str(Budget& budget, const Value& value);

// These classes and cases are those of Python's str methods.
bool is_space(char32_t c);
bool is_letter(char32_t c);
bool is_digit(char32_t c);
bool is_cased(char32_t c);
bool is_upper(char32_t c);
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_capitalized(std::string_view text);
// Begins every word with a capital letter, as str.title() does.
std::string to_title(std::string_view text);

enum class Side { both, left, right };
// Removes the given characters from the ends of a text; null: white space.
std::string_view strip(std::string_view text, const std::string* characters, Side side);
// Returns the position of `part` at or after `from`, or npos, in linear time.
size_t find_text(std::string_view text, std::string_view part, size_t from = 0);
// Replaces up to `count` matches; -1: all.
std::string replace_text(Budget& budget, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count = -1);
// Replaces & < > " ' as markupsafe does.
std::string escape_markup(std::string_view text);

}  // namespace galore::jinja
