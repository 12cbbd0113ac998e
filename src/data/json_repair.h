// Rows that Python writes and reads as JSON although the standard or our parser has no such numbers.
#pragma once

#include <string>

namespace galore {

// Replaces NaN, Infinity and -Infinity outside of strings by null, and makes integers of more than 18 digits
// numbers with an exponent, which have no limit. Returns false if there is none.
bool replace_python_numbers(std::string& json);

// Returns true if a string holds half of a surrogate pair, such as \ud83d alone, which no UTF-8 can hold.
bool has_half_surrogate(const std::string& json);

}  // namespace galore
