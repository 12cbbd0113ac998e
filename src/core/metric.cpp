#include "core/metric.h"

#include <fmt/core.h>

namespace galore {

std::string text_of(const Metric& metric) {
  return fmt::format("{} {:.{}f}", metric.name, metric.value, metric.digits);
}

std::string text_of(const std::vector<Metric>& metrics, const std::string& separator, bool all) {
  std::string text;
  for (const Metric& metric : metrics)
    if (all || !metric.is_for_comparison()) text += (text.empty() ? "" : separator) + text_of(metric);
  return text;
}

}  // namespace galore
