// Options. Each is declared once with name, target and help, and optionally with range, choices and aliases.
//
// A table is bound to a struct of plain members. Command line, YAML, help text, the saved configuration and
// the documentation are all derived from the table; an option's name is written nowhere else. Hyphens and
// underscores in names are equal. Unknown names are refused, and the message suggests the nearest known one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace galore {

// The `where` of settings that override those of files.
inline constexpr const char* kCommandLine = "command line";

class Option {
 public:
  // `names` holds all names of the table, aliases included.
  Option(std::string name, std::string type, std::string help, std::shared_ptr<std::set<std::string>> names);

  // Refuses values outside [low, high].
  Option& range(double low, double high) {
    low_ = low, high_ = high;
    return *this;
  }
  // Refuses values outside [low, high).
  Option& range_below(double low, double high) {
    open_ = true;
    return range(low, high);
  }
  Option& choices(std::vector<std::string> values) {
    choices_ = std::move(values);
    return *this;
  }
  // Adds an alias. A name that the table already has is a programming error, and an assertion.
  Option& alias(std::string name);
  // Accepts these words for a bool option, too. `*target` holds the last word given, or "" if the last value
  // was true or false. If a word was given last, text() returns it.
  Option& words(std::vector<std::string> values, std::string* target) {
    words_ = std::move(values);
    word_ = target;
    return *this;
  }
  // The source of the default, shown by `galore methods`.
  Option& origin(std::string text) {
    origin_ = std::move(text);
    return *this;
  }

  const std::string& name() const { return name_; }
  const std::string& type() const { return type_; }
  const std::string& help() const { return help_; }
  const std::string& origin() const { return origin_; }
  const std::string& default_text() const { return default_text_; }
  const std::string& group() const { return group_; }
  const std::vector<std::string>& aliases() const { return aliases_; }
  const std::vector<std::string>& allowed() const { return choices_; }
  const std::vector<std::string>& words() const { return words_; }
  // Return the bounds of range(), or nothing when there are none.
  std::optional<double> low() const { return low_; }
  std::optional<double> high() const { return high_; }
  bool high_is_open() const { return open_; }
  bool was_set() const { return was_set_; }
  // Return the name and the source of the last setting as they were given, or "" if there was none.
  const std::string& given_name() const { return given_name_; }
  const std::string& given_in() const { return given_in_; }
  std::string text() const { return get_(); }

 private:
  friend class OptionTable;
  void claim(const std::string& name);
  void check_choice(const std::string& where, const std::string& value) const;
  bool take_word(const std::string& where, const std::string& value) const;
  void check_range(const std::string& where, double value, const std::string& given) const;

  std::shared_ptr<std::set<std::string>> names_;
  std::string name_, type_, help_, origin_, default_text_, group_, given_name_, given_in_;
  std::vector<std::string> choices_, aliases_, words_;
  std::string* word_ = nullptr;
  std::optional<double> low_, high_;
  bool was_set_ = false, open_ = false;
  std::function<void(const std::string& where, const std::string&)> set_;
  std::function<std::string()> get_;
};

class OptionTable {
 public:
  // Options added from now on are shown under this heading.
  void group(std::string title) { group_ = std::move(title); }

  Option& add(const std::string& name, bool* target, const std::string& help);
  Option& add(const std::string& name, int64_t* target, const std::string& help);
  Option& add(const std::string& name, double* target, const std::string& help);
  Option& add(const std::string& name, std::string* target, const std::string& help);
  // A list is given as "a,b,c".
  Option& add(const std::string& name, std::vector<std::string>* target, const std::string& help);

  // Sets an option. `where` names the source in messages ("command line", "config.yaml"). Unknown names and
  // invalid values are Errors.
  void set(const std::string& where, const std::string& name, const std::string& value);
  // Sets options from "a=1,b=2" as in optim_args. Commas inside values are not supported.
  void set_list(const std::string& where, const std::string& text);

  Option* find(const std::string& name);
  const std::vector<std::unique_ptr<Option>>& options() const { return options_; }
  bool was_set(const std::string& name) {
    const Option* option = find(name);
    return option && option->was_set();
  }
  // Returns the name and text of every option in declaration order.
  std::vector<std::pair<std::string, std::string>> resolved() const;

 private:
  template <typename T>
  Option& declare(const std::string& name, T* target, const char* type, const std::string& help);

  std::string group_ = "General";
  std::vector<std::unique_ptr<Option>> options_;
  std::map<std::string, Option*> by_name_;
  std::shared_ptr<std::set<std::string>> names_ = std::make_shared<std::set<std::string>>();
};

// Converts to lower case and hyphens to underscores.
std::string canonical_name(std::string name);
// Returns the candidate with the smallest edit distance to `name`; candidates that begin with `name` have
// precedence. Returns "" if there are no candidates.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);
// Returns the pairs of "a=1,b=2" as they are given.
std::vector<std::pair<std::string, std::string>> parse_pairs(const std::string& where,
                                                             const std::string& text);
// Splits "a,b,c". Blanks around items and empty items are dropped.
std::vector<std::string> split_list(const std::string& text, char separator = ',');
// Parses 10, 1e4 or 2.5; `where` and `name` appear in the message.
double parse_number(const std::string& where, const std::string& name, const std::string& text);
// Parses a whole number as parse_number() does, with the suffixes K, M and B.
int64_t parse_count(const std::string& where, const std::string& name, const std::string& text);

}  // namespace galore
