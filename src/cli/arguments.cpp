#include "cli/arguments.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/errors.h"
#include "core/option_lists.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr size_t kHelpColumn = 34, kHelpWidth = 110;

bool is_option(const std::string& argument) { return argument.size() > 2 && argument.starts_with("--"); }

// Returns true for "name=value" with a valid option name.
bool is_assignment(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  return std::all_of(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

class ArgumentParser {
 public:
  ArgumentParser(OptionTable& table, const std::vector<std::string>& arguments)
      : table_(table), arguments_(arguments) {}

  void parse() {
    for (next_ = 0; next_ < arguments_.size();) {
      const std::string& argument = arguments_[next_++];
      const bool option = is_option(argument);
      if (!option && !is_assignment(argument))
        fail_usage(kCommandLine, "expected --name value or name=value, given '{}'", argument);
      const std::string text = option ? argument.substr(2) : argument;
      const size_t equals = text.find('=');
      if (equals != std::string::npos)
        assign(text.substr(0, equals), text.substr(equals + 1));
      else
        take_values(text);
    }
    for (const auto& [name, values] : lists_) table_.set(kCommandLine, name, list_text(values));
  }

 private:
  void assign(const std::string& name, const std::string& value) {
    const Option* option = table_.find(name);
    if (!option || option->type() != "list") return table_.set(kCommandLine, name, value);
    lists_[option->name()].push_back(value);
  }

  // Several arguments are one item each. A single one is a list, unless a file has its name.
  static std::string list_text(const std::vector<std::string>& values) {
    if (values.size() == 1 && !std::filesystem::exists(values[0])) return values[0];
    return join_list(values);
  }

  void take_values(const std::string& name) {
    const Option* option = table_.find(name);
    if (!option && canonical_name(name).starts_with("no_")) {
      const Option* positive = table_.find(name.substr(3));
      if (positive && positive->type() == "bool") return table_.set(kCommandLine, positive->name(), "false");
    }
    if (option && option->type() == "bool" && !next_is_value_of(*option))
      return table_.set(kCommandLine, name, "true");
    if (!option) return table_.set(kCommandLine, name, "");  // throws, and suggests the nearest name
    if (next_ == arguments_.size() || is_option(arguments_[next_]))
      fail_usage(kCommandLine, "--{}: expected a value", option->name());
    assign(name, arguments_[next_++]);
    if (option->type() != "list") return;
    while (next_ < arguments_.size() && !is_option(arguments_[next_]) &&
           !is_known_assignment(arguments_[next_]))
      assign(name, arguments_[next_++]);
  }

  bool next_is_value_of(const Option& flag) const {
    if (next_ == arguments_.size()) return false;
    std::vector<std::string> words = {"true", "false", "1", "0", "yes", "no", "on", "off"};
    words.insert(words.end(), flag.words().begin(), flag.words().end());
    return std::find(words.begin(), words.end(), canonical_name(arguments_[next_])) != words.end();
  }

  // A file name in a list may contain '=', so only known options count as assignments.
  bool is_known_assignment(const std::string& argument) const {
    return is_assignment(argument) && table_.find(argument.substr(0, argument.find('=')));
  }

  OptionTable& table_;
  const std::vector<std::string>& arguments_;
  size_t next_ = 0;
  std::map<std::string, std::vector<std::string>> lists_;
};

std::string describe(const Option& option) {
  std::string text = option.help();
  const auto append = [&text](const std::string& more) { text += (text.empty() ? "" : " ") + more; };
  if (!option.allowed().empty()) {
    std::string values;
    for (const std::string& value : option.allowed()) values += (values.empty() ? "" : ", ") + value;
    append("(" + values + ")");
  }
  if (!option.default_text().empty()) append("[" + option.default_text() + "]");
  if (!option.aliases().empty()) {
    std::string names;
    for (const std::string& name : option.aliases()) names += (names.empty() ? "" : ", ") + name;
    append("also: " + names);
  }
  return text;
}

std::string wrapped(const std::string& text) {
  std::string all, line;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find(' ', start), text.size());
    if (!line.empty() && kHelpColumn + line.size() + 1 + end - start > kHelpWidth) {
      all += line + "\n" + std::string(kHelpColumn, ' ');
      line.clear();
    }
    line += (line.empty() ? "" : " ") + text.substr(start, end - start);
    start = end + 1;
  }
  return all + line;
}

}  // namespace

void print_help(const std::string& command, const OptionTable& table) {
  fmt::print("{}", help_text(command, table));
}

std::optional<std::string> Arguments::take_word() {
  if (words.empty() || words[0].starts_with('-') || words[0].find('=') != std::string::npos)
    return std::nullopt;
  std::string word = words[0];
  words.erase(words.begin());
  return word;
}

bool parse_arguments(const std::string& command, OptionTable& table, const Arguments& arguments) {
  const auto asks_for_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (std::any_of(arguments.words.begin(), arguments.words.end(), asks_for_help)) {
    arguments.show_help(command, table);
    return false;
  }
  ArgumentParser(table, arguments.words).parse();
  return true;
}

std::string help_text(const std::string& command, const OptionTable& table) {
  std::string text = fmt::format("galore {} [--name value | name=value]...\n", command), group;
  for (const auto& option : table.options()) {
    if (option->group() != group) text += fmt::format("\n{}:\n", group = option->group());
    const std::string left = fmt::format("  --{} {}", option->name(), option->type());
    const bool fits = left.size() + 1 < kHelpColumn;
    text +=
        left + (fits ? std::string(kHelpColumn - left.size(), ' ') : "\n" + std::string(kHelpColumn, ' '));
    text += wrapped(describe(*option)) + "\n";
  }
  return text;
}

}  // namespace galore
