// Command line arguments into an option table.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/options.h"

namespace galore {

// Sets options of `table` from `arguments` (without the program's and the command's name): `--key value`,
// `--key=value`, `key=value`, and `--flag` for true (`--no-flag` for false). A list takes all following
// values and may be given several times. Hyphens and underscores are equal. Returns false when help was asked
// for: it is printed to stdout then, generated from the table. Wrong usage is a UsageError.
bool parse_arguments(const std::string& command, OptionTable& table,
                     const std::vector<std::string>& arguments);

// While one exists, a request for help gives the table to `listener` and prints nothing.
class HelpListener {
 public:
  using Listener = std::function<void(const OptionTable&)>;
  explicit HelpListener(Listener listener);
  ~HelpListener();
  HelpListener(const HelpListener&) = delete;
  HelpListener& operator=(const HelpListener&) = delete;
};

// The text of `galore COMMAND --help`: every option under its heading, with type, default, range and help.
std::string help_text(const std::string& command, const OptionTable& table);

}  // namespace galore
