#include <fmt/core.h>

#include <csignal>

#include "cli/commands.h"
#include "cli/config_file.h"
#include "cli/train_session.h"
#include "distributed/place.h"
#include "distributed/spawn.h"
#include "train/distribution.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace galore {
namespace {

void print_summary(const TrainResult& result) {
  fmt::print("{} steps, {} tokens in {} ({:.0f} tokens/s)\n", result.steps, result.tokens_seen,
             format_duration(result.seconds), result.tokens_per_second);
  if (result.evaluation) fmt::print("{}\n", text_of(result.evaluation->metrics, ", ", /*all=*/false));
  if (result.best_metric && result.best_step != result.steps)
    fmt::print("best evaluation {:.4f}, at step {}\n", *result.best_metric, result.best_step);
  fmt::print("peak memory {}; planned {} and about {} for the program\n",
             format_bytes(static_cast<double>(result.peak_memory_bytes)),
             format_bytes(static_cast<double>(result.planned_bytes)),
             format_bytes(static_cast<double>(result.program_bytes)));
  if (result.signal == 0)
    fmt::print("model: {}\n", result.output_dir.string());
  else
    fmt::print("stopped by signal {}; resume_from_checkpoint=auto continues {}\n", result.signal,
               result.output_dir.string());
}

// Wrong options are reported once, before anything is started.
int start_processes(TrainOptions& options, OptionTable& table, const Arguments& arguments) {
  options.processes = options.nproc_per_node;
  keep_sums(options, table, single_process());
  resolve(options, table);
  std::vector<std::string> words{"train"};
  words.insert(words.end(), arguments.words.begin(), arguments.words.end());
  return run_processes(options.nproc_per_node, words);
}

}  // namespace

int train_command(const Arguments& arguments) {
  TrainOptions options;
  OptionTable table;
  bool json = false;
  declare_options(table, options);
  table.group("Output");
  table.add("json", &json, "print the result as one JSON object");
  if (!parse_with_config("train", table, arguments)) return 0;
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe of the log loses the log, not the run
  if (options.nproc_per_node > 1 && place_of(options.dist_init).is_alone())
    return start_processes(options, table, arguments);
  const auto [result, is_first] = train_in_session(options, table);
  if (is_first) json ? fmt::print("{}\n", result_json(result).dump()) : print_summary(result);
  return result.signal > 0 ? 128 + result.signal : 0;
}

}  // namespace galore
