#include "data/json_repair.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace galore {
namespace {

constexpr size_t kSafeDigits = 18;  // every integer of so many digits has 64 bits
constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// Returns the end of the string that begins at `at`.
size_t end_of_string(const std::string& json, size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at)
    if (json[at] == '\\') ++at;
  return std::min(at + 1, json.size());
}

// Returns the end of the number at `at`, with its fraction and exponent.
size_t end_of_number(const std::string& json, size_t at) {
  constexpr std::string_view kParts = "+-.eE";
  while (at < json.size() && (is_digit(json[at]) || kParts.find(json[at]) != std::string_view::npos)) ++at;
  return at;
}

std::string_view word_at(const std::string& json, size_t at) {
  for (const std::string_view word : kWords)
    if (json.compare(at, word.size(), word) == 0) return word;
  return "";
}

}  // namespace

bool replace_python_numbers(std::string& json) {
  bool found = false;
  std::string out;
  for (size_t at = 0; at < json.size();) {
    size_t end = at + 1;
    if (json[at] == '"') {
      end = end_of_string(json, at);
    } else if (const std::string_view word = word_at(json, at); !word.empty()) {
      out += "null";
      at += word.size();
      found = true;
      continue;
    } else if (is_digit(json[at])) {
      end = end_of_number(json, at);
    }
    out.append(json, at, end - at);
    const bool is_long = is_digit(json[at]) && end - at > kSafeDigits &&
                         std::all_of(json.begin() + static_cast<std::ptrdiff_t>(at),
                                     json.begin() + static_cast<std::ptrdiff_t>(end), is_digit);
    if (is_long) out += "e0";
    found = found || is_long;
    at = end;
  }
  if (found) json = std::move(out);
  return found;
}

bool has_half_surrogate(const std::string& json) {
  const auto unit = [&](size_t at) {  // 0: no \uXXXX stands there
    const bool is_escape = at + 6 <= json.size() && json[at] == '\\' && json[at + 1] == 'u';
    return is_escape ? std::stoul("0" + json.substr(at + 2, 4), nullptr, 16) : 0ul;
  };
  const auto is_low = [](unsigned long value) { return value >= 0xDC00 && value < 0xE000; };
  for (size_t at = json.find('\\'); at != std::string::npos; at = json.find('\\', at)) {
    const unsigned long value = unit(at);
    const bool is_high = value >= 0xD800 && value < 0xDC00;
    if (is_low(value) || (is_high && !is_low(unit(at + 6)))) return true;
    at += is_high ? 12 : 2;
  }
  return false;
}

}  // namespace galore
