// Options as a file and a command line give them, for tests.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/errors.h"
#include "train/train_options.h"

namespace galore {

using Settings = std::vector<std::string>;

// Options that a file and a command line have set, resolved.
struct Given {
  TrainOptions options;
  OptionTable table;
  std::vector<std::string> notes;

  explicit Given(const Settings& command_line, const Settings& file = {}) {
    declare_options(table, options);
    set("config.yaml:1", {"model_size=60m"});
    set("config.yaml:2", file);
    set(kCommandLine, command_line);
    notes = resolve(options, table);
  }
  void set(const std::string& where, const Settings& settings) {
    for (const std::string& setting : settings)
      table.set(where, setting.substr(0, setting.find('=')), setting.substr(setting.find('=') + 1));
  }
  bool noted(const std::string& note) const { return std::count(notes.begin(), notes.end(), note) == 1; }
};

inline std::string complaint(const Settings& command_line, const Settings& file = {}) {
  try {
    const Given given(command_line, file);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace galore
