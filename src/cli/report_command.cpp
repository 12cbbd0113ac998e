#include <fmt/core.h>

#include <algorithm>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/options.h"
#include "core/output_path.h"
#include "data/mixture_options.h"
#include "report/page.h"
#include "report/run_history.h"
#include "tasks/task.h"

namespace galore {

// Every argument before the first option is a run.
int report_command(const Arguments& arguments) {
  std::vector<std::string> runs;
  std::string output = "report.html";
  OptionTable table;
  table.add("runs", &runs,
            "output folders of runs, their metrics.jsonl or a trainer_state.json; --runs may be left out");
  table.add("output", &output, "file of the page, which needs no network; - for stdout");
  const auto is_option = [](const std::string& word) {
    return word.starts_with('-') || word.starts_with("output=");
  };
  Arguments rest = arguments;
  const auto first_option = std::find_if(rest.words.begin(), rest.words.end(), is_option);
  const std::vector<std::string> named(rest.words.begin(), first_option);
  rest.words.erase(rest.words.begin(), first_option);
  if (!parse_arguments("report", table, rest)) return 0;
  runs.insert(runs.begin(), named.begin(), named.end());
  if (runs.empty()) fail_usage("report", "expected one or more runs: galore report RUN... [--output FILE]");
  std::vector<nlohmann::ordered_json> histories;
  const std::vector<std::string> sources = mixture_sources(runs);
  std::vector<MetricKind> metrics = all_metrics();
  for (const std::string& source : sources) metrics.push_back(mixture_loss_metric(source));
  const std::vector<ChartSpec> all_charts = charts(metrics, sources);
  for (const std::string& run : runs) histories.push_back(read_run(run, all_charts));
  const std::string page = report_page(histories, all_charts);
  if (output == "-") return fmt::print("{}", page), 0;
  write_file_atomically(behind_link(output), page);
  fmt::print("{}\n", output);
  return 0;
}

}  // namespace galore
