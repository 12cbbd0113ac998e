// Options, each declared once: name, target, help, and optionally range, choices and aliases.
//
// A table is bound to a struct of plain members. Command line, YAML, help text, the saved configuration and
// the documentation are all derived from the table; nothing else spells an option's name. Hyphens and
// underscores in names are equal. Unknown names are refused with the nearest known one.
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

// `where` of settings that go before those of files.
inline constexpr const char* kCommandLine = "command line";

class Option {
 public:
  // `names`: all that the table has, aliases included.
  Option(std::string name, std::string type, std::string help, std::shared_ptr<std::set<std::string>> names);

  // Refused outside [low, high].
  Option& range(double low, double high) {
    low_ = low, high_ = high;
    return *this;
  }
  // Refused outside [low, high).
  Option& range_below(double low, double high) {
    open_ = true;
    return range(low, high);
  }
  Option& choices(std::vector<std::string> values) {
    choices_ = std::move(values);
    return *this;
  }
  // A name that the table has already is our mistake, and an assertion.
  Option& alias(std::string name);
  // For bool options: these words are accepted too. `*target` holds the last word given, or "" if the last
  // value was true or false. text() is the word while there is one.
  Option& words(std::vector<std::string> values, std::string* target) {
    words_ = std::move(values);
    word_ = target;
    return *this;
  }
  // Where the default comes from, shown by `galore methods`.
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
  // Of range(); nothing where there is none.
  std::optional<double> low() const { return low_; }
  std::optional<double> high() const { return high_; }
  bool high_is_open() const { return open_; }
  bool was_set() const { return was_set_; }
  // Name and source of the last setting, as they were given; "" if there was none.
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
  // Lists are given as "a,b,c".
  Option& add(const std::string& name, std::vector<std::string>* target, const std::string& help);

  // `where` names the source in messages ("command line", "config.yaml"). Unknown names and bad values throw.
  void set(const std::string& where, const std::string& name, const std::string& value);
  // "a=1,b=2" as in optim_args. Commas inside values are not supported.
  void set_list(const std::string& where, const std::string& text);

  Option* find(const std::string& name);
  const std::vector<std::unique_ptr<Option>>& options() const { return options_; }
  bool was_set(const std::string& name) {
    const Option* option = find(name);
    return option && option->was_set();
  }
  // name -> text of every option, in declaration order.
  std::vector<std::pair<std::string, std::string>> resolved() const;

 private:
  template <typename T>
  Option& declare(const std::string& name, T* target, const char* type, const std::string& help);

  std::string group_ = "General";
  std::vector<std::unique_ptr<Option>> options_;
  std::map<std::string, Option*> by_name_;
  std::shared_ptr<std::set<std::string>> names_ = std::make_shared<std::set<std::string>>();
};

// Lower case, hyphens to underscores.
std::string canonical_name(std::string name);
// The candidate with the smallest edit distance to `name`, of those that begin with it if there are such; ""
// if there are no candidates.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);
// The pairs of "a=1,b=2", as they are given.
std::vector<std::pair<std::string, std::string>> parse_pairs(const std::string& where,
                                                             const std::string& text);
// Splits "a,b,c"; blanks around items are dropped, empty items too.
std::vector<std::string> split_list(const std::string& text, char separator = ',');
// Accepts 10, 1e4, 2.5; `where` and `name` go into the message.
double parse_number(const std::string& where, const std::string& name, const std::string& text);
// As parse_number, with the suffixes K, M and B, and only whole numbers.
int64_t parse_count(const std::string& where, const std::string& name, const std::string& text);

}  // namespace galore
