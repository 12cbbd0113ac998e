// Parses command line arguments into an option table.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/options.h"

namespace galore {

// Sets options of `table` from `arguments` (without the names of program and command): `--key value`,
// `--key=value`, `key=value`, `--flag` for true and `--no-flag` for false. A list takes all following values
// and may be given several times. Hyphens and underscores are equal. When help is asked for, prints it to
// stdout, generated from the table, and returns false. Wrong usage is a UsageError.
bool parse_arguments(const std::string& command, OptionTable& table,
                     const std::vector<std::string>& arguments);

// While an object of this class exists, a request for help passes the table to `listener` and prints nothing.
class HelpListener {
 public:
  using Listener = std::function<void(const OptionTable&)>;
  explicit HelpListener(Listener listener);
  ~HelpListener();
  HelpListener(const HelpListener&) = delete;
  HelpListener& operator=(const HelpListener&) = delete;
};

// Returns the text of `galore COMMAND --help`: every option under its heading, with type, default, range and
// help.
std::string help_text(const std::string& command, const OptionTable& table);

}  // namespace galore
