// The methods of Python's str.
#include <algorithm>

#include "chat/jinja/methods.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"
#include "tokenizer/unicode/code_points.h"

namespace galore::jinja {
namespace {

Value text_value(Run& run, std::string_view text) { return make_text(run.budget, std::string(text)); }

template <Side side>
Value strip_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("strip", arguments, {"chars"});
  const std::string characters = given.value(0).is_none() ? "" : given.text(0);
  return text_value(run, strip(*self.text(), given.value(0).is_none() ? nullptr : &characters, side));
}

template <std::string (*change)(std::string_view)>
Value changed_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters none("the method", arguments, {});
  return make_text(run.budget, change(*self.text()));
}

// Splits at white space. With `from_right` the last words are cut off first.
void split_words(Run& run, std::string_view text, int64_t most, bool from_right, Items& parts) {
  const Side near = from_right ? Side::right : Side::left;
  for (text = strip(text, nullptr, near); !text.empty(); text = strip(text, nullptr, near)) {
    size_t length = text.size();
    if (static_cast<int64_t>(parts.size()) != most) {
      length = 0;
      while (length < text.size()) {
        const std::string_view rest = from_right ? text.substr(0, text.size() - length) : text.substr(length);
        const CodePoint c = from_right ? last_code_point(rest) : first_code_point(rest);
        if (is_space(c.value)) break;
        length += c.bytes;
      }
    } else {
      text = strip(text, nullptr, from_right ? Side::left : Side::right);
      length = text.size();
    }
    parts.push_back(text_value(run, from_right ? text.substr(text.size() - length) : text.substr(0, length)));
    text = from_right ? text.substr(0, text.size() - length) : text.substr(length);
  }
}

void split_at(Run& run, std::string_view text, std::string_view separator, int64_t most, bool from_right,
              Items& parts) {
  if (separator.empty()) raise("empty separator");
  for (; static_cast<int64_t>(parts.size()) != most;) {
    const size_t found = from_right ? text.rfind(separator) : find_text(text, separator);
    if (found == std::string_view::npos) break;
    const std::string_view before = text.substr(0, found), after = text.substr(found + separator.size());
    parts.push_back(text_value(run, from_right ? after : before));
    text = from_right ? before : after;
  }
  parts.push_back(text_value(run, text));
}

template <bool from_right>
Value split_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("split", arguments, {"sep", "maxsplit"});
  const int64_t most = given.integer(1, -1);
  Items parts;
  if (given.value(0).is_none())
    split_words(run, *self.text(), most, from_right, parts);
  else
    split_at(run, *self.text(), given.text(0), most, from_right, parts);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return make_list(run.budget, std::move(parts));
}

bool ends_line(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

Value splitlines(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("splitlines", arguments, {"keepends"});
  const std::string_view text = *self.text();
  Items lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin, next = text.size();
    for (; end < text.size();) {
      const CodePoint c = first_code_point(text.substr(end));
      if (ends_line(c.value)) {
        next = end + c.bytes + (text.substr(end).starts_with("\r\n") ? 1 : 0);
        break;
      }
      end += c.bytes;
    }
    lines.push_back(text_value(run, text.substr(begin, (given.truth(0, false) ? next : end) - begin)));
    begin = next;
  }
  return make_list(run.budget, std::move(lines));
}

// Tests a prefix or a suffix; it may be a tuple of several.
template <bool at_end>
Value affix_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given(at_end ? "endswith" : "startswith", arguments, {"affix", "start", "end"}, 1);
  const Value text = slice_of(run, self, given.value(1), given.value(2), None{});
  const auto fits = [&](const Value& affix) {
    if (!affix.text()) {
      require_defined(affix);
      raise("{} first arg must be str or a tuple of str, not {}", at_end ? "endswith" : "startswith",
            type_name(affix));
    }
    return at_end ? text.text()->ends_with(*affix.text()) : text.text()->starts_with(*affix.text());
  };
  const Value affixes = given.value(0);
  const Sequence* tuple = affixes.as<Sequence>();
  if (!tuple || tuple->kind != SequenceKind::tuple) return fits(affixes);
  return std::any_of(tuple->data->items.begin(), tuple->data->items.end(), fits);
}

template <bool from_right, bool must>
Value find_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("find", arguments, {"sub", "start", "end"}, 1);
  const std::string_view text = *self.text();
  const int64_t length = count_characters(text);
  const auto bound = [&](size_t i, int64_t missing) {
    const int64_t place = given.value(i).is_none() ? missing : given.integer(i, missing);
    return std::clamp<int64_t>(place < 0 ? place + length : place, 0, length);
  };
  const size_t begin = offset_of_character(text, bound(1, 0)),
               end = offset_of_character(text, bound(2, length));
  run.budget.step(static_cast<int64_t>(text.size() / 64));
  const std::string_view part = text.substr(begin, end > begin ? end - begin : 0);
  const std::string wanted = given.text(0);
  const size_t found = from_right ? part.rfind(wanted) : find_text(part, wanted);
  if (found != std::string_view::npos && begin <= end) return count_characters(text.substr(0, begin + found));
  if (must) raise("substring not found");
  return int64_t{-1};
}

Value count_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("count", arguments, {"sub", "start", "end"}, 1);
  const Value part = slice_of(run, self, given.value(1), given.value(2), None{});
  const std::string_view text = *part.text();
  const std::string wanted = given.text(0);
  if (wanted.empty()) return count_characters(text) + 1;
  int64_t count = 0;
  for (size_t at = 0; (at = find_text(text, wanted, at)) != std::string_view::npos; at += wanted.size())
    ++count;
  return count;
}

Value replace_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("replace", arguments, {"old", "new", "count"}, 2);
  return make_text(
      run.budget, replace_text(run.budget, *self.text(), given.text(0), given.text(1), given.integer(2, -1)));
}

Value join_method(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("join", arguments, {"iterable"}, 1);
  std::string out;
  bool is_first = true;
  for (const Value& item : items_of(run.budget, given.value(0))) {
    require_defined(item);
    if (!item.text()) raise("join(): expected str instances, {} found", type_name(item));
    run.budget.take(self.text()->size() + item.text()->size());
    if (!is_first) out += *self.text();
    is_first = false;
    out += *item.text();
  }
  return make_text(run.budget, std::move(out));
}

Value format_method(Run& run, const Value& self, const Arguments& arguments) {
  return make_text(run.budget, brace_format(run, *self.text(), arguments));
}

template <bool (*test)(char32_t)>
Value every_character(Run& /*run*/, const Value& self, const Arguments& arguments) {
  const Parameters none("the method", arguments, {});
  bool all = !self.text()->empty();
  for_each_code_point(*self.text(), [&](const CodePoint& c, size_t) { all = all && test(c.value); });
  return all;
}

bool is_letter_or_digit(char32_t c) { return is_letter(c) || is_digit(c); }

template <bool upper>
Value case_test(Run& /*run*/, const Value& self, const Arguments& arguments) {
  const Parameters none("the method", arguments, {});
  bool fits = true, has_case = false;
  for_each_code_point(*self.text(), [&](const CodePoint& c, size_t) {
    if (!is_cased(c.value)) return;
    has_case = true;
    fits = fits && is_upper(c.value) == upper;
  });
  return fits && has_case;
}

template <bool from_right>
Value partition(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("partition", arguments, {"sep"}, 1);
  const std::string_view text = *self.text();
  const std::string separator = given.text(0);
  if (separator.empty()) raise("empty separator");
  const size_t found = from_right ? text.rfind(separator) : find_text(text, separator);
  const auto triple = [&](std::string_view a, std::string_view b, std::string_view c) {
    return make_sequence(run.budget, SequenceKind::tuple,
                         {text_value(run, a), text_value(run, b), text_value(run, c)});
  };
  if (found == std::string_view::npos) return from_right ? triple("", "", text) : triple(text, "", "");
  return triple(text.substr(0, found), separator, text.substr(found + separator.size()));
}

template <bool at_end>
Value without_affix(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("removeprefix", arguments, {"affix"}, 1);
  std::string_view text = *self.text();
  const std::string affix = given.text(0);
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  return text_value(run, text);
}

// Fills up to a width: 'l' and 'r' justify, 'c' centres, 'z' puts zeros behind a sign.
template <char kind>
Value filled(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("the method", arguments, {"width", "fillchar"}, 1);
  const std::string fill = kind == 'z' ? "0" : given.text(1, " ");
  const int64_t missing = given.integer(0, 0) - count_characters(*self.text());
  if (missing <= 0) return self;
  run.budget.take(static_cast<size_t>(missing) * fill.size());
  const int64_t width = given.integer(0, 0);
  const int64_t left = kind == 'l' ? 0 : kind == 'c' ? missing / 2 + (missing & width & 1) : missing;
  std::string before, after;
  for (int64_t i = 0; i < missing; ++i) (i < left ? before : after) += fill;
  const std::string& text = *self.text();
  if (kind == 'z' && (text.starts_with('-') || text.starts_with('+')))
    return make_text(run.budget, text.substr(0, 1) + before + text.substr(1));
  return make_text(run.budget, before + text + after);
}

}  // namespace

const MethodTable& text_methods() {
  static const MethodTable table{{"strip", strip_method<Side::both>},
                                 {"lstrip", strip_method<Side::left>},
                                 {"rstrip", strip_method<Side::right>},
                                 {"upper", changed_method<to_upper>},
                                 {"lower", changed_method<to_lower>},
                                 {"casefold", changed_method<to_lower>},
                                 {"title", changed_method<to_title>},
                                 {"capitalize", changed_method<to_capitalized>},
                                 {"split", split_method<false>},
                                 {"rsplit", split_method<true>},
                                 {"splitlines", splitlines},
                                 {"startswith", affix_method<false>},
                                 {"endswith", affix_method<true>},
                                 {"find", find_method<false, false>},
                                 {"rfind", find_method<true, false>},
                                 {"index", find_method<false, true>},
                                 {"rindex", find_method<true, true>},
                                 {"count", count_method},
                                 {"replace", replace_method},
                                 {"join", join_method},
                                 {"format", format_method},
                                 {"isdigit", every_character<is_digit>},
                                 {"isdecimal", every_character<is_digit>},
                                 {"isnumeric", every_character<is_digit>},
                                 {"isalpha", every_character<is_letter>},
                                 {"isalnum", every_character<is_letter_or_digit>},
                                 {"isspace", every_character<is_space>},
                                 {"isupper", case_test<true>},
                                 {"islower", case_test<false>},
                                 {"partition", partition<false>},
                                 {"rpartition", partition<true>},
                                 {"removeprefix", without_affix<false>},
                                 {"removesuffix", without_affix<true>},
                                 {"ljust", filled<'l'>},
                                 {"rjust", filled<'r'>},
                                 {"center", filled<'c'>},
                                 {"zfill", filled<'z'>}};
  return table;
}

}  // namespace galore::jinja
