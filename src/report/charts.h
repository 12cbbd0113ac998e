// The charts of a report: the event fields that each chart draws, and its style. The page and the reader of
// histories both use this table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/metric.h"

namespace galore {

struct ChartSpec {
  std::string title;
  std::vector<std::string> series;  // names of event fields; each run has one colour
  std::string format;               // format of values: a name of `formats` in page/format.js
  int digits = 0;                   // for the format "fixed"
  bool smooth = false;              // the page's control may smooth it
  bool dots = false;                // marks each point, for series with few points
  bool logarithmic = false;         // drawn logarithmically if the reader asks for it
  std::string note = {};            // text next to the title
  std::string noted_series = {};    // shows the note only if this series is drawn; "": always
};

// Returns the charts in the order of the page. `metrics` are the metrics of evaluations, and `sources` the
// names of the sources of mixtures, of which each has a chart of its weight.
std::vector<ChartSpec> charts(const std::vector<MetricKind>& metrics,
                              const std::vector<std::string>& sources = {});
// Returns the name of the series of a source's weight.
inline std::string weight_series(const std::string& source) { return "mixture_weights/" + source; }
// Returns the charts as JSON for page/page.js.
nlohmann::ordered_json charts_json(const std::vector<ChartSpec>& charts);

}  // namespace galore
