#include <algorithm>
#include <cmath>

#include "chat/jinja/filter_tables.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

bool is_safe(const Value& value) { return value.as<Text>() && value.as<Text>()->safe; }

template <std::string (*change)(std::string_view)>
Value change_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("the filter", arguments, {});
  return make_text(run.budget, change(str(run.budget, subject)), is_safe(subject));
}

bool begins_title_word(char c) {
  return std::string_view("-({[<").find(c) != std::string_view::npos ||
         is_space(static_cast<unsigned char>(c));
}

// Unlike str.title(), words begin after white space, "-" and opening brackets only.
std::string filter_title(std::string_view text) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin + 1;
    const bool is_break = static_cast<unsigned char>(text[begin]) < 0x80 && begins_title_word(text[begin]);
    while (!is_break && end < text.size() &&
           (static_cast<unsigned char>(text[end]) >= 0x80 || !begins_title_word(text[end])))
      ++end;
    out += to_capitalized(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

Value trim_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("trim", arguments, {"chars"});
  const std::string characters = given.value(0).is_none() ? "" : given.text(0);
  const std::string text = str(run.budget, subject);
  return make_text(run.budget,
                   std::string(strip(text, given.value(0).is_none() ? nullptr : &characters, Side::both)),
                   is_safe(subject));
}

Value replace_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("replace", arguments, {"old", "new", "count"}, 2);
  return make_text(run.budget,
                   replace_text(run.budget, str(run.budget, subject), str(run.budget, given.value(0)),
                                str(run.budget, given.value(1)), given.integer(2, -1)));
}

// Joins lines with an indentation before all of them, blank lines and the first one excepted by default.
Value indent_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("indent", arguments, {"width", "first", "blank"});
  std::string indentation = "    ";
  if (given.value(0).text())
    indentation = given.text(0);
  else if (given.has(0))
    indentation = std::string(static_cast<size_t>(std::clamp<int64_t>(given.integer(0, 4), 0, 10000)), ' ');
  const std::string text = str(run.budget, subject);
  std::string out = given.truth(1, false) ? indentation : "";
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (begin > 0) {
      run.budget.take(indentation.size());
      out += "\n" + (end > begin || given.truth(2, false) ? indentation : "");
    }
    out.append(text, begin, end - begin);
    begin = end + 1;
  }
  return make_text(run.budget, std::move(out));
}

Value center_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("center", arguments, {"width"});
  const Value text = make_text(run.budget, str(run.budget, subject));
  return call(run, *method_of(text, "center"), {{given.integer(0, 80)}, {}});
}

Value truncate_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string text = str(run.budget, subject), end = given.text(2, "...");
  const int64_t length = given.integer(0, 255), own = count_characters(text);
  if (own <= length + given.integer(3, 5)) return make_text(run.budget, text);
  std::string cut = text.substr(0, offset_of_character(text, length - count_characters(end)));
  if (!given.truth(1, false)) cut = cut.substr(0, cut.rfind(' '));
  return make_text(run.budget, cut + end);
}

Value string_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("string", arguments, {});
  return subject.text() ? subject : make_text(run.budget, str(run.budget, subject));
}

Value safe_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("safe", arguments, {});
  return make_text(run.budget, str(run.budget, subject), /*safe=*/true);
}

Value escape_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("escape", arguments, {});
  if (is_safe(subject)) return subject;
  return make_text(run.budget, escape_markup(str(run.budget, subject)), /*safe=*/true);
}

Value tojson_filter(Run& run, const Value& subject, const Arguments& arguments) {
  return make_text(run.budget, to_json(run, subject, arguments));
}

Value format_filter(Run& run, const Value& subject, const Arguments& arguments) {
  Value values = make_sequence(run.budget, SequenceKind::tuple, arguments.values);
  if (!arguments.named.empty()) {
    Dict named;
    for (const auto& [name, value] : arguments.named) named.set(make_text(run.budget, name), value);
    values = make_dict(run.budget, std::move(named));
  }
  return make_text(run.budget, printf_format(run, str(run.budget, subject), values));
}

Value wordcount_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("wordcount", arguments, {});
  int64_t count = 0;
  bool inside = false;
  const std::string text = str(run.budget, subject);
  for (const std::string_view c : characters_of(text)) {
    const bool is_word = c == "_" || !strip(c, nullptr, Side::both).empty();
    const bool counts = is_word && (static_cast<unsigned char>(c[0]) >= 0x80 ||
                                    std::isalnum(static_cast<unsigned char>(c[0])) || c == "_");
    count += counts && !inside;
    inside = counts;
  }
  return count;
}

// Returns the number that a text holds, as Python's float(), or nothing.
std::optional<double> read_real(std::string_view text) {
  std::string plain(strip(text, nullptr, Side::both));
  std::erase(plain, '_');
  if (plain.empty() || plain.find_first_of("xX") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(plain.c_str(), &end);
  return *end == '\0' ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> read_whole(std::string_view text, int64_t base) {
  std::string plain(strip(text, nullptr, Side::both));
  std::erase(plain, '_');
  const bool is_signed = plain.starts_with('-') || plain.starts_with('+');
  if (base == 16 && plain.substr(is_signed ? 1 : 0).starts_with("0x")) plain.erase(is_signed ? 1 : 0, 2);
  if (plain.size() <= (is_signed ? 1 : 0) ||
      !std::isalnum(static_cast<unsigned char>(plain[is_signed ? 1 : 0])))
    return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const long long value = std::strtoll(plain.c_str(), &end, static_cast<int>(base));
  if (errno != 0) raise("an integer has more than 64 bits");
  return *end == '\0' ? std::optional<int64_t>(value) : std::nullopt;
}

Value int_filter(Run& /*run*/, const Value& subject, const Arguments& arguments) {
  const Parameters given("int", arguments, {"default", "base"});
  const Value missing = given.has(0) ? given.value(0) : Value(int64_t{0});
  require_defined(subject);
  if (const auto whole = subject.integer()) return *whole;
  std::optional<double> real;
  if (const double* own = subject.as<double>()) real = *own;
  if (const std::string* text = subject.text()) {
    if (const auto whole = read_whole(*text, given.integer(1, 10))) return *whole;
    real = read_real(*text);
  }
  if (!real || !(std::abs(*real) < 9.2e18)) return missing;
  return static_cast<int64_t>(*real);
}

Value float_filter(Run& /*run*/, const Value& subject, const Arguments& arguments) {
  const Parameters given("float", arguments, {"default"});
  require_defined(subject);
  if (const auto number = subject.number()) return *number;
  const auto real = subject.text() ? read_real(*subject.text()) : std::nullopt;
  return real ? Value(*real) : given.has(0) ? given.value(0) : Value(0.0);
}

Value abs_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("abs", arguments, {});
  if (!subject.number()) raise("bad operand type for abs(): '{}'", type_name(subject));
  return *subject.number() < 0 ? negated(run, subject)
         : subject.as<bool>()  ? Value(*subject.integer())
                               : subject;
}

// Rounds half to even, as Python does.
Value round_filter(Run& /*run*/, const Value& subject, const Arguments& arguments) {
  const Parameters given("round", arguments, {"precision", "method"});
  if (!subject.number()) raise("round: expected a number, given '{}'", type_name(subject));
  const std::string method = given.text(1, "common");
  const auto digits = static_cast<int>(std::clamp<int64_t>(given.integer(0, 0), -300, 300));
  if (method == "common") {
    if (subject.integer() && digits >= 0) return *subject.integer();
    if (digits >= 0) return std::strtod(fmt::format("{:.{}f}", *subject.number(), digits).c_str(), nullptr);
  } else if (method != "ceil" && method != "floor") {
    raise("method must be common, ceil or floor");
  }
  const double scale = std::pow(10.0, digits), scaled = *subject.number() * scale;
  const double whole = method == "ceil"    ? std::ceil(scaled)
                       : method == "floor" ? std::floor(scaled)
                                           : std::nearbyint(scaled);
  // Python's round() returns an int if its argument is one.
  if (subject.integer() && method == "common") return static_cast<int64_t>(std::llround(whole / scale));
  return whole / scale;
}

}  // namespace

const FilterTable& text_filters() {
  static const FilterTable table{{"upper", change_filter<to_upper>},
                                 {"lower", change_filter<to_lower>},
                                 {"capitalize", change_filter<to_capitalized>},
                                 {"title", change_filter<filter_title>},
                                 {"trim", trim_filter},
                                 {"replace", replace_filter},
                                 {"indent", indent_filter},
                                 {"center", center_filter},
                                 {"truncate", truncate_filter},
                                 {"string", string_filter},
                                 {"safe", safe_filter},
                                 {"e", escape_filter},
                                 {"escape", escape_filter},
                                 {"tojson", tojson_filter},
                                 {"format", format_filter},
                                 {"wordcount", wordcount_filter},
                                 {"int", int_filter},
                                 {"float", float_filter},
                                 {"abs", abs_filter},
                                 {"round", round_filter}};
  return table;
}

}  // namespace galore::jinja
