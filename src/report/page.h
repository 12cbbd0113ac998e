// Charts of one or more runs as one HTML page that needs nothing else: no network, no files beside it. What
// it is made of lies in page/ and is built into the program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace galore {

// `runs` as read_run gives them; runs of one name get their paths as names.
std::string report_page(std::vector<nlohmann::ordered_json> runs);

}  // namespace galore
