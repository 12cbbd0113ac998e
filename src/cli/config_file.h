// Reads YAML configuration files into an option table.
#pragma once

#include <string>

#include "cli/arguments.h"

namespace galore {

// Sets each key of the file as an option. Lists become "a,b", maps "k=v,k=v", and null leaves the default.
// Messages name file and line. The options of data may also stand in a map of the key `data`.
void read_config_file(const std::string& path, OptionTable& table);
// Sets each key of a JSON object, which is YAML as well. Messages call it `where`.
void read_config_object(const std::string& json, const std::string& where, OptionTable& table);

// Reads a leading "*.yaml" or "*.yml" argument into the table and then parses the other arguments, which
// override the file. Returns false when help was shown.
bool parse_with_config(const std::string& command, OptionTable& table, Arguments arguments);

}  // namespace galore
