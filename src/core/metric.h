// A quantity that an evaluation measures. A task declares its metrics once (tasks/task.h); logs, charts,
// commands and the choice of the best checkpoint take names, formats and directions from there.
#pragma once

#include <string>
#include <vector>

namespace galore {

struct MetricKind {
  std::string name;  // in logs, files and JSON: "eval_loss"
  bool larger_is_better = false;
  int digits = 4;  // behind the decimal point, in lines for people
  // Heading of its chart. A metric without a heading is logged for comparison with other programs only: it is
  // not drawn, not summarized, and cannot choose the best checkpoint.
  std::string title = {};
  std::string note = {};  // explains the value where it is printed alone
  bool is_for_comparison() const { return title.empty(); }
};

struct Metric : MetricKind {
  double value = 0;
};

// "eval_loss 3.1416".
std::string text_of(const Metric& metric);
// The texts of several metrics, joined; without those that are for comparison, unless `all`.
std::string text_of(const std::vector<Metric>& metrics, const std::string& separator, bool all);

}  // namespace galore
