#include "core/metric.h"

#include <fmt/core.h>

#include <cmath>

namespace galore {

std::string text_of(const Metric& metric) {
  return fmt::format("{} {:.{}f}", metric.name, metric.value, metric.digits);
}

std::string text_of(const std::vector<Metric>& metrics, const std::string& separator, bool all) {
  std::string text;
  for (const Metric& metric : metrics) {
    const bool is_undefined = std::isnan(metric.value) && !text.empty();
    if (!is_undefined && (all || !metric.is_for_comparison()))
      text += (text.empty() ? "" : separator) + text_of(metric);
  }
  return text;
}

}  // namespace galore
