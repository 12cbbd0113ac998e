// A configuration file's JSON schema, for editors: which keys there are, of which type, with what values.
#pragma once

#include <nlohmann/json.hpp>

#include "core/options.h"

namespace galore {

// Draft 2020-12, of a YAML file that read_config_file would take: null (a key without a value) is a key left
// out, numbers may be written with the suffixes K, M and B, lists as "a,b".
nlohmann::ordered_json option_schema(const OptionTable& table);

}  // namespace galore
