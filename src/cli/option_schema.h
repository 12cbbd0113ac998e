// Makes the JSON schema of a configuration file for editors: the keys, their types and their values.
#pragma once

#include <nlohmann/json.hpp>

#include "core/options.h"

namespace galore {

// Returns a schema (draft 2020-12) of the YAML files that read_config_file accepts: null (a key without a
// value) counts as a missing key, numbers may have the suffixes K, M and B, and lists may be written as
// "a,b".
nlohmann::ordered_json option_schema(const OptionTable& table);

}  // namespace galore
