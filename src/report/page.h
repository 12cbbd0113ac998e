// Builds charts of one or more runs as a single HTML page that needs no network and no other file. Its
// sources are in page/ and are built into the program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/charts.h"

namespace galore {

// Returns the page of `runs`, which are results of read_run() with the same charts. Runs with equal names are
// named by their paths.
std::string report_page(std::vector<nlohmann::ordered_json> runs, const std::vector<ChartSpec>& charts);

}  // namespace galore
