// YAML configuration files into an option table.
#pragma once

#include <string>
#include <vector>

#include "core/options.h"

namespace galore {

// Each key of the file is set as an option; lists become "a,b", maps "k=v,k=v", null leaves the default.
// Messages name file and line.
void read_config_file(const std::string& path, OptionTable& table);

// Takes a leading "*.yaml" or "*.yml" from the arguments, reads it into the table, then parses the rest,
// which wins. False when help was shown.
bool parse_with_config(const std::string& command, OptionTable& table, std::vector<std::string> arguments);

}  // namespace galore
