#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex/class_items.h"

#include <fmt/core.h>
#include <pcre2.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <span>

#include "tokenizer/unicode/unicode_tables.h"

namespace galore::class_items {
namespace {

using unicode_tables::CodePointRange;

std::string range_text(char32_t first, char32_t last) {
  const auto point = [](char32_t c) { return fmt::format("\\x{{{:x}}}", static_cast<uint32_t>(c)); };
  return first == last ? point(first) : point(first) + "-" + point(last);
}

std::string ranges_text(std::span<const CodePointRange> ranges) {
  std::string text;
  for (const CodePointRange& range : ranges) text += range_text(range.first, range.last);
  return text;
}

// Returns the characters of a general category ("Lu") or group ("L") that were added after Unicode 14.
std::string younger(std::string_view category) {
  std::string text;
  for (const auto& row : unicode_tables::younger_than_unicode_14())
    if (std::string_view(row.category).starts_with(category)) text += range_text(row.first, row.last);
  return text;
}

// Returns the name in lower case without blanks, hyphens and underscores; Oniguruma compares names in this
// form.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name)
    if (c != ' ' && c != '-' && c != '_')
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain;
}

const std::map<std::string, std::string>& general_categories() {
  static const std::map<std::string, std::string> names = [] {
    std::map<std::string, std::string> map;
    for (const char* name : {"L",  "M",  "N",  "P",  "S",  "Z",  "C",  "Lu", "Ll", "Lt", "Lm", "Lo",
                             "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",
                             "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn"})
      map.emplace(plain_name(name), name);
    for (const auto& [longer, name] : std::map<std::string, std::string>{{"letter", "L"},
                                                                         {"mark", "M"},
                                                                         {"number", "N"},
                                                                         {"punctuation", "P"},
                                                                         {"symbol", "S"},
                                                                         {"separator", "Z"},
                                                                         {"other", "C"},
                                                                         {"uppercaseletter", "Lu"},
                                                                         {"lowercaseletter", "Ll"},
                                                                         {"titlecaseletter", "Lt"},
                                                                         {"modifierletter", "Lm"},
                                                                         {"otherletter", "Lo"},
                                                                         {"nonspacingmark", "Mn"},
                                                                         {"spacingmark", "Mc"},
                                                                         {"enclosingmark", "Me"},
                                                                         {"decimalnumber", "Nd"},
                                                                         {"letternumber", "Nl"},
                                                                         {"othernumber", "No"},
                                                                         {"mathsymbol", "Sm"},
                                                                         {"currencysymbol", "Sc"},
                                                                         {"modifiersymbol", "Sk"},
                                                                         {"othersymbol", "So"},
                                                                         {"spaceseparator", "Zs"},
                                                                         {"control", "Cc"},
                                                                         {"cntrl", "Cc"},
                                                                         {"format", "Cf"},
                                                                         {"digit", "Nd"}})
      map.emplace(longer, name);
    return map;
  }();
  return names;
}

// From PCRE2 10.40 on, a script's bare name includes the script's extensions; "sc:" excludes them.
std::string script_prefix() {
  char version[64] = "";
  pcre2_config(PCRE2_CONFIG_VERSION, version);
  return std::strtod(version, nullptr) >= 10.395 ? "sc:" : "";
}

}  // namespace

std::string white_space() { return ranges_text(unicode_tables::white_space()); }

std::string not_white_space() {
  std::string text;
  char32_t next = 0;
  for (const CodePointRange& range : unicode_tables::white_space()) {
    if (range.first > next) text += range_text(next, range.first - 1);
    next = range.last + 1;
  }
  return text + range_text(next, 0x10ffff);
}

// Word characters are alphabetic characters, marks, decimal and letter numbers, connectors, and the
// superscripts and fractions of Latin-1.
std::string word() {
  std::string text =
      "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
      "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}";
  for (const char* category : {"L", "M", "Nd", "Nl", "Pc"}) text += younger(category);
  return text;
}

std::string digit() { return "\\p{Nd}" + younger("Nd"); }

std::optional<std::string> property(std::string_view name) {
  const std::string plain = plain_name(name);
  const auto found = general_categories().find(plain);
  if (found != general_categories().end()) return "\\p{" + found->second + "}" + younger(found->second);
  if (plain == "han") return ranges_text(unicode_tables::han());
  if (plain == "space" || plain == "whitespace") return white_space();
  if (plain == "word") return word();
  if (plain == "any") return std::string("\\x{0}-\\x{10ffff}");
  if (plain == "ascii") return std::string("\\x{0}-\\x{7f}");
  if (plain == "xdigit" || plain == "asciihexdigit") return std::string("0-9a-fA-F");
  static const std::map<std::string, std::string> scripts = {
      {"latin", "Latin"},         {"greek", "Greek"},
      {"cyrillic", "Cyrillic"},   {"arabic", "Arabic"},
      {"hebrew", "Hebrew"},       {"thai", "Thai"},
      {"hiragana", "Hiragana"},   {"katakana", "Katakana"},
      {"hangul", "Hangul"},       {"bopomofo", "Bopomofo"},
      {"common", "Common"},       {"devanagari", "Devanagari"},
      {"bengali", "Bengali"},     {"tamil", "Tamil"},
      {"telugu", "Telugu"},       {"kannada", "Kannada"},
      {"malayalam", "Malayalam"}, {"gujarati", "Gujarati"},
      {"gurmukhi", "Gurmukhi"},   {"lao", "Lao"},
      {"khmer", "Khmer"},         {"myanmar", "Myanmar"},
      {"tibetan", "Tibetan"},     {"georgian", "Georgian"},
      {"armenian", "Armenian"},   {"ethiopic", "Ethiopic"},
      {"sinhala", "Sinhala"},     {"inherited", "Inherited"}};
  const auto script = scripts.find(plain);
  if (script == scripts.end()) return std::nullopt;
  return "\\p{" + script_prefix() + script->second + "}";
}

std::string taken_out(std::string_view name) {
  const auto found = general_categories().find(plain_name(name));
  if (found == general_categories().end() || (found->second != "C" && found->second != "Cn")) return "";
  std::string text;
  for (const auto& row : unicode_tables::younger_than_unicode_14())
    if (row.category[0] != 'C') text += range_text(row.first, row.last);
  return text;
}

}  // namespace galore::class_items
