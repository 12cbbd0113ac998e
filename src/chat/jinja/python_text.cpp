#include "chat/jinja/python_text.h"

#include <string.h>  // memmem
#include <utf8proc.h>

#include <charconv>
#include <cmath>

#include "tokenizer/unicode/character_classes.h"
#include "tokenizer/unicode/code_points.h"

namespace galore::jinja {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// Returns whether repr() writes the character as it is (str.isprintable).
bool is_printable(char32_t c) {
  if (c < 0x7f) return c >= 0x20;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

void append_escaped(std::string& out, char32_t c) {
  const auto number = static_cast<uint32_t>(c);
  if (c == '\n')
    out += "\\n";
  else if (c == '\t')
    out += "\\t";
  else if (c == '\r')
    out += "\\r";
  else if (c < 0x100)
    out += fmt::format("\\x{:02x}", number);
  else if (c < 0x10000)
    out += fmt::format("\\u{:04x}", number);
  else
    out += fmt::format("\\U{:08x}", number);
}

template <typename Change>
std::string changed(std::string_view text, Change change) {
  std::string out;
  out.reserve(text.size());
  for_each_code_point(text, [&](const CodePoint& c, size_t) {
    append_utf8(out, static_cast<char32_t>(change(static_cast<utf8proc_int32_t>(c.value))));
  });
  return out;
}

std::string repr_of_items(Budget& budget, const Items& items, const char* open, const char* close) {
  std::string out = open;
  for (const Value& item : items) {
    if (&item != &items.front()) out += ", ";
    out += repr(budget, item);
  }
  return out + close;
}

std::string repr_of_dict(Budget& budget, const Dict& dict) {
  std::string out = "{";
  for (const auto& [key, value] : dict.entries()) {
    if (out.size() > 1) out += ", ";
    out += repr(budget, key) + ": " + repr(budget, value);
  }
  return out + "}";
}

std::string repr_of_sequence(Budget& budget, const Sequence& sequence) {
  const Items& items = sequence.data->items;
  switch (sequence.kind) {
    case SequenceKind::list:
      return repr_of_items(budget, items, "[", "]");
    case SequenceKind::tuple:
      return repr_of_items(budget, items, "(", items.size() == 1 ? ",)" : ")");
    case SequenceKind::items:
      return repr_of_items(budget, items, "dict_items([", "])");
    case SequenceKind::keys:
      return repr_of_items(budget, items, "dict_keys([", "])");
    case SequenceKind::values:
      return repr_of_items(budget, items, "dict_values([", "])");
    case SequenceKind::generator:
      break;
  }
  raise("a generator cannot be printed: use the filter 'list' or 'join'");
}

bool is_one_of(char32_t c, const std::string* characters) {
  return characters ? characters->find(to_utf8(c)) != std::string::npos : is_space(c);
}

}  // namespace

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> characters;
  for_each_code_point(text,
                      [&](const CodePoint& c, size_t at) { characters.push_back(text.substr(at, c.bytes)); });
  return characters;
}

int64_t count_characters(std::string_view text) { return count_code_points(text); }

size_t offset_of_character(std::string_view text, int64_t number) {
  size_t at = 0;
  for (; number > 0 && at < text.size(); --number) at += first_code_point(text.substr(at)).bytes;
  return at;
}

std::string repr_of_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
  const std::string shortest(buffer, end);
  const int exponent = std::stoi(shortest.substr(shortest.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return shortest;
  const auto fixed_end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed).ptr;
  std::string fixed(buffer, fixed_end);
  return fixed.find('.') == std::string::npos ? fixed + ".0" : fixed;
}

std::string repr_of_text(std::string_view text) {
  const bool single = text.find('\'') != text.npos, twofold = text.find('"') != text.npos;
  const char32_t quote = single && !twofold ? '"' : '\'';
  std::string out;
  append_utf8(out, quote);
  for_each_code_point(text, [&](const CodePoint& c, size_t) {
    if (c.value == quote || c.value == '\\') out += '\\';
    if (is_printable(c.value))
      append_utf8(out, c.value);
    else
      append_escaped(out, c.value);
  });
  append_utf8(out, quote);
  return out;
}

std::string repr(Budget& budget, const Value& value) {
  budget.step();
  std::string out;
  if (value.is_undefined())
    out = "Undefined";
  else if (value.text())
    out = repr_of_text(*value.text());
  else if (value.dict())
    out = repr_of_dict(budget, *value.dict());
  else if (const Sequence* sequence = value.as<Sequence>())
    out = repr_of_sequence(budget, *sequence);
  else
    return str(budget, value);
  budget.take(out.size());
  return out;
}

std::string str(Budget& budget, const Value& value) {
  if (value.is_none()) return "None";
  if (value.is_undefined()) return "";
  if (const bool* truth = value.as<bool>()) return *truth ? "True" : "False";
  if (const int64_t* whole = value.as<int64_t>()) return std::to_string(*whole);
  if (const double* real = value.as<double>()) return repr_of_real(*real);
  if (value.text()) {
    budget.take(value.text()->size());
    return *value.text();
  }
  if (value.object()) raise("a {} cannot be printed", type_name(value));
  return repr(budget, value);
}

// Python also takes the four separators of ASCII for white space.
bool is_space(char32_t c) { return (c >= 0x1c && c <= 0x1f) || is_white_space(c); }

bool is_letter(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_cased(char32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }

std::string to_upper(std::string_view text) { return changed(text, utf8proc_toupper); }
std::string to_lower(std::string_view text) { return changed(text, utf8proc_tolower); }

std::string to_capitalized(std::string_view text) {
  const size_t first = offset_of_character(text, 1);
  return changed(text.substr(0, first), utf8proc_totitle) + to_lower(text.substr(first));
}

std::string to_title(std::string_view text) {
  bool inside_word = false;
  return changed(text, [&](utf8proc_int32_t c) {
    const utf8proc_int32_t out = inside_word ? utf8proc_tolower(c) : utf8proc_totitle(c);
    inside_word = is_cased(static_cast<char32_t>(c));
    return out;
  });
}

std::string_view strip(std::string_view text, const std::string* characters, Side side) {
  while (side != Side::right && !text.empty()) {
    const CodePoint first = first_code_point(text);
    if (!is_one_of(first.value, characters)) break;
    text.remove_prefix(first.bytes);
  }
  while (side != Side::left && !text.empty()) {
    const CodePoint last = last_code_point(text);
    if (!is_one_of(last.value, characters)) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

size_t find_text(std::string_view text, std::string_view part, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

std::string replace_text(Budget& budget, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count) {
  std::string out;
  size_t done = 0;
  for (size_t at = 0; count != 0; --count) {
    at = find_text(text, from, at);
    if (at == std::string_view::npos) break;
    budget.take(to.size());
    out += text.substr(done, at - done);
    out += to;
    done = at + from.size();
    at = done;
    if (!from.empty()) continue;
    // An empty text matches before every character and at the end.
    if (at >= text.size()) break;
    at += first_code_point(text.substr(at)).bytes;
  }
  return out.append(text.substr(done));
}

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

}  // namespace galore::jinja
