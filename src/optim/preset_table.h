// The tables of optimizers and of their options as JSON, from which other front ends are generated.
#pragma once

#include <string>

namespace galore {

// Returns {"presets": [...], "common": [...]}. A preset has name, aliases, title, paper, equation,
// departures, state (the bytes of a targeted matrix in words), projects (whether it chooses weights by
// target_modules) and options; `common` are the options of every optimizer. An option has name, type (bool,
// int, float, string, list), default, help, origin, choices, aliases, low and high (null: no bound).
std::string preset_table_json();

}  // namespace galore
