// Parses command line arguments into an option table.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/options.h"

namespace galore {

// Prints the help of a command to stdout.
void print_help(const std::string& command, const OptionTable& table);

// The words after a command's name on the command line.
struct Arguments {
  using ShowHelp = std::function<void(const std::string& command, const OptionTable&)>;

  Arguments(std::vector<std::string> all, ShowHelp show = print_help)
      : words(std::move(all)), show_help(std::move(show)) {}
  Arguments(std::initializer_list<std::string> all) : Arguments(std::vector<std::string>(all)) {}

  // Removes and returns the first word, if it is neither an option nor an assignment.
  std::optional<std::string> take_word();

  std::vector<std::string> words;
  ShowHelp show_help;  // called with the command's options when --help is among the words
};

// Sets options of `table` from the words: `--key value`, `--key=value`, `key=value`, `--flag` for true and
// `--no-flag` for false. A list takes all following values and may be given several times; each of several
// values is one item, and a single value is a list "a,b" (option_lists.h) unless a file has its name. Hyphens
// and underscores are equal. Returns false when help was asked for and shown. Wrong usage is a UsageError.
bool parse_arguments(const std::string& command, OptionTable& table, const Arguments& arguments);

// Returns the text of `galore COMMAND --help`: every option under its heading, with type, default, range and
// help.
std::string help_text(const std::string& command, const OptionTable& table);

}  // namespace galore
