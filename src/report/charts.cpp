#include "report/charts.h"

namespace galore {

std::vector<ChartSpec> charts(const std::vector<MetricKind>& metrics,
                              const std::vector<std::string>& sources) {
  std::vector<ChartSpec> all{{.title = "Training loss",
                              .series = {"loss"},
                              .format = "fixed",
                              .digits = 4,
                              .smooth = true,
                              .logarithmic = true}};
  for (const MetricKind& metric : metrics)
    if (!metric.is_for_comparison())
      all.push_back({.title = metric.title,
                     .series = {metric.name},
                     .format = "fixed",
                     .digits = metric.digits,
                     .dots = true,
                     .logarithmic = true});
  for (const std::string& source : sources)
    all.push_back({.title = "Weight of " + source, .series = {weight_series(source)}, .format = "percent"});
  const std::vector<ChartSpec> others{
      {.title = "Gradient norm",
       .series = {"grad_norm", "grad_norm_projected"},
       .format = "plain",
       .smooth = true,
       .logarithmic = true,
       .note = "inside the subspaces where it is projected",
       .noted_series = "grad_norm_projected"},
      {.title = "Learning rate", .series = {"learning_rate"}, .format = "exponent"},
      {.title = "Tokens per second", .series = {"tokens_per_second"}, .format = "short", .smooth = true},
      {.title = "Memory in use", .series = {"memory_bytes"}, .format = "bytes"},
      {.title = "Mean rank", .series = {"mean_rank"}, .format = "plain"},
      {.title = "Captured energy",
       .series = {"captured_energy"},
       .format = "percent",
       .note = "share of the gradients' squared norm, mean of the matrices"}};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

nlohmann::ordered_json charts_json(const std::vector<ChartSpec>& charts) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const ChartSpec& chart : charts)
    all.push_back({{"title", chart.title},
                   {"series", chart.series},
                   {"format", chart.format},
                   {"digits", chart.digits},
                   {"smooth", chart.smooth},
                   {"dots", chart.dots},
                   {"log", chart.logarithmic},
                   {"note", chart.note},
                   {"noted_series", chart.noted_series}});
  return all;
}

}  // namespace galore
