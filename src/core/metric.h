// A quantity that an evaluation measures. A task declares its metrics once (tasks/task.h). Logs, charts,
// commands and the choice of the best checkpoint take names, formats and directions from this declaration.
#pragma once

#include <string>
#include <vector>

namespace galore {

struct MetricKind {
  std::string name;  // name in logs, files and JSON: "eval_loss"
  bool larger_is_better = false;
  int digits = 4;  // digits after the decimal point, in lines for people
  // The heading of the metric's chart. A metric without a heading is logged only for comparison with other
  // programs: it is not drawn, not summarized, and cannot choose the best checkpoint.
  std::string title = {};
  std::string note = {};  // explains the value where it is printed alone
  bool is_for_comparison() const { return title.empty(); }
};

struct Metric : MetricKind {
  double value = 0;
};

// Returns a text such as "eval_loss 3.1416".
std::string text_of(const Metric& metric);
// Returns the joined texts of several metrics. Metrics for comparison are included only if `all`. A metric
// that is not defined (NaN) is left out unless it is the first one.
std::string text_of(const std::vector<Metric>& metrics, const std::string& separator, bool all);

}  // namespace galore
