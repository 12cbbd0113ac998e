#include "core/options.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/errors.h"
#include "core/option_lists.h"

namespace galore {
namespace {

std::optional<bool> truth_of(const std::string& text) {
  const std::string value = canonical_name(text);
  if (value == "true" || value == "1" || value == "yes" || value == "on") return true;
  if (value == "false" || value == "0" || value == "no" || value == "off") return false;
  return std::nullopt;
}

std::string join(const std::vector<std::string>& items) {
  return std::accumulate(
      items.begin(), items.end(), std::string(),
      [](const std::string& all, const std::string& item) { return all.empty() ? item : all + "," + item; });
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::string to_text(bool value) { return value ? "true" : "false"; }
std::string to_text(int64_t value) { return std::to_string(value); }
std::string to_text(double value) { return fmt::format("{}", value); }
std::string to_text(const std::string& value) { return value; }
std::string to_text(const std::vector<std::string>& value) { return join_list(value); }

void parse_into(const std::string& where, const std::string& name, const std::string& text, bool* target) {
  const std::optional<bool> truth = truth_of(text);
  if (!truth) fail_usage(where, "{}: expected true or false, given '{}'", name, text);
  *target = *truth;
}
void parse_into(const std::string& where, const std::string& name, const std::string& text, int64_t* target) {
  *target = parse_count(where, name, text);
}
void parse_into(const std::string& where, const std::string& name, const std::string& text, double* target) {
  *target = parse_number(where, name, text);
}
void parse_into(const std::string&, const std::string&, const std::string& text, std::string* target) {
  *target = text;
}
void parse_into(const std::string&, const std::string&, const std::string& text,
                std::vector<std::string>* target) {
  *target = split_list(text);
}

std::optional<double> as_number(int64_t value) { return static_cast<double>(value); }
std::optional<double> as_number(double value) { return value; }
template <typename T>
std::optional<double> as_number(const T&) {
  return std::nullopt;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

Option::Option(std::string name, std::string type, std::string help,
               std::shared_ptr<std::set<std::string>> names)
    : names_(std::move(names)), name_(std::move(name)), type_(std::move(type)), help_(std::move(help)) {
  claim(name_);
}

// Claims a name, which must be in canonical form: names are looked up in this form, so any other would never
// be found.
void Option::claim(const std::string& name) {
  GALORE_ASSERT(name == canonical_name(name));
  GALORE_ASSERT(names_->insert(name).second);
}

Option& Option::alias(std::string name) {
  claim(name);
  aliases_.push_back(std::move(name));
  return *this;
}

void Option::check_choice(const std::string& where, const std::string& value) const {
  // The default, such as "" for none, is always allowed: it overrides a configuration file.
  if (choices_.empty() || value == default_text_) return;
  if (std::find(choices_.begin(), choices_.end(), value) != choices_.end()) return;
  fail_usage(where, "{}: expected one of {}, given '{}'", name_, join(choices_), value);
}

bool Option::take_word(const std::string& where, const std::string& value) const {
  if (words_.empty()) return false;
  const std::string given = canonical_name(value);
  const bool known = std::find(words_.begin(), words_.end(), given) != words_.end();
  if (!known && !truth_of(value))
    fail_usage(where, "{}: expected one of true,false,{}, given '{}'", name_, join(words_), value);
  *word_ = known ? given : "";
  return known;
}

void Option::check_range(const std::string& where, double value, const std::string& given) const {
  const bool below = low_ && !(value >= *low_);
  const bool above = high_ && !(open_ ? value < *high_ : value <= *high_);
  if (!below && !above) return;
  if (open_)
    fail_usage(where, "{}: expected at least {} and below {}, given {}", name_, *low_, *high_, given);
  if (std::isinf(*high_)) fail_usage(where, "{}: expected at least {}, given {}", name_, *low_, given);
  fail_usage(where, "{}: expected {} to {}, given {}", name_, *low_, *high_, given);
}

template <typename T>
Option& OptionTable::declare(const std::string& name, T* target, const char* type, const std::string& help) {
  options_.push_back(std::make_unique<Option>(name, type, help, names_));
  Option* option = options_.back().get();
  option->group_ = group_;
  option->default_text_ = to_text(*target);
  option->get_ = [option, target] {
    return option->word_ && !option->word_->empty() ? *option->word_ : to_text(*target);
  };
  option->set_ = [option, target](const std::string& where, const std::string& text) {
    if (!option->take_word(where, text)) {
      T value{};
      parse_into(where, option->name(), text, &value);
      if (const auto number = as_number(value)) option->check_range(where, *number, text);
      option->check_choice(where, to_text(value));
      *target = value;
    }
    option->was_set_ = true;
  };
  by_name_[name] = option;
  return *option;
}

Option& OptionTable::add(const std::string& name, bool* target, const std::string& help) {
  return declare(name, target, "bool", help);
}
Option& OptionTable::add(const std::string& name, int64_t* target, const std::string& help) {
  return declare(name, target, "int", help);
}
Option& OptionTable::add(const std::string& name, double* target, const std::string& help) {
  return declare(name, target, "float", help);
}
Option& OptionTable::add(const std::string& name, std::string* target, const std::string& help) {
  return declare(name, target, "text", help);
}
Option& OptionTable::add(const std::string& name, std::vector<std::string>* target, const std::string& help) {
  return declare(name, target, "list", help);
}

Option* OptionTable::find(const std::string& name) {
  const std::string wanted = canonical_name(name);
  if (const auto found = by_name_.find(wanted); found != by_name_.end()) return found->second;
  for (const auto& option : options_) {
    const auto& aliases = option->aliases();
    if (std::find(aliases.begin(), aliases.end(), wanted) != aliases.end()) return option.get();
  }
  return nullptr;
}

void OptionTable::set(const std::string& where, const std::string& name, const std::string& value) {
  Option* option = find(name);
  if (!option) {
    fail_usage(where, "unknown option '{}'; the nearest known one is '{}'", name,
               nearest_name(canonical_name(name), {names_->begin(), names_->end()}));
  }
  option->set_(where, value);
  option->given_name_ = canonical_name(name);
  option->given_in_ = where;
}

void OptionTable::set_list(const std::string& where, const std::string& text) {
  for (const auto& [name, value] : parse_pairs(where, text)) set(where, name, value);
}

std::vector<std::pair<std::string, std::string>> OptionTable::resolved() const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& option : options_) pairs.emplace_back(option->name(), option->text());
  return pairs;
}

std::vector<std::pair<std::string, std::string>> parse_pairs(const std::string& where,
                                                             const std::string& text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& item : split_list(text)) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos) fail_usage(where, "expected name=value, given '{}'", item);
    pairs.emplace_back(trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1)));
  }
  return pairs;
}

std::string canonical_name(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  // Candidates that begin with the name come first, because the name may be incomplete.
  const auto rank = [&](const std::string& candidate) {
    return std::pair(!candidate.starts_with(name), edit_distance(name, candidate));
  };
  const auto best = std::min_element(candidates.begin(), candidates.end(),
                                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return best == candidates.end() ? "" : *best;
}

double parse_number(const std::string& where, const std::string& name, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || std::isnan(value))
    fail_usage(where, "{}: expected a number, given '{}'", name, text);
  return value;
}

int64_t parse_count(const std::string& where, const std::string& name, const std::string& text) {
  double factor = 1;
  std::string digits = text;
  if (!digits.empty()) {
    switch (std::toupper(static_cast<unsigned char>(digits.back()))) {
      case 'K':
        factor = 1e3;
        break;
      case 'M':
        factor = 1e6;
        break;
      case 'B':
        factor = 1e9;
        break;
      default:
        break;
    }
  }
  if (factor != 1) digits.pop_back();
  const double value = parse_number(where, name, digits) * factor;
  if (value != std::floor(value) || std::abs(value) > 9e18)
    fail_usage(where, "{}: expected a whole number, given '{}'", name, text);
  return static_cast<int64_t>(value);
}

}  // namespace galore
