// The charts of a report: which fields of events each one draws, and how. The page and the reader of
// histories both go by this table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/metric.h"

namespace galore {

struct ChartSpec {
  std::string title;
  std::vector<std::string> series;  // names of fields; drawn in one colour a run
  std::string format;               // of values: a name of `formats` in page/format.js
  int digits = 0;                   // for the format "fixed"
  bool smooth = false;              // by the page's control
  bool dots = false;                // few points: each is marked
  bool logarithmic = false;         // where the reader asks for it
  std::string note = {};            // beside the title
  std::string noted_series = {};    // the note is shown only if this one is drawn; "": always
};

// In the order of the page. `metrics` are those of evaluations.
std::vector<ChartSpec> charts(const std::vector<MetricKind>& metrics);
// As page/page.js reads them.
nlohmann::ordered_json charts_json(const std::vector<ChartSpec>& charts);

}  // namespace galore
