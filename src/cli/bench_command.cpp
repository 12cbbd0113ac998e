#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/config_file.h"
#include "core/memory.h"
#include "train/bench.h"
#include "train/inputs.h"

namespace galore {

namespace {

void print_json(const BenchResult& r) {
  fmt::print("{}\n",
             nlohmann::ordered_json{{"tokens_per_second", r.tokens_per_second},
                                    {"tokens_per_second_with_refresh", r.tokens_per_second_with_refresh},
                                    {"step_seconds", r.step_seconds},
                                    {"optimizer_seconds", r.optimizer_seconds},
                                    {"refresh_seconds", r.refresh_seconds},
                                    {"slow_step_share", r.slow_step_share},
                                    {"slow_refresh_share", r.slow_refresh_share},
                                    {"peak_share", r.product_rate_share},
                                    {"peak_operations", r.product_rate},
                                    {"peak_memory_bytes", r.peak_memory_bytes},
                                    {"planned_bytes", r.planned_bytes},
                                    {"program_bytes", r.program_bytes},
                                    {"library_bytes", r.library_bytes},
                                    {"per_device_train_batch_size", r.rows},
                                    {"gradient_accumulation_steps", r.micro_batches},
                                    {"first_step_seconds", r.first_step_seconds},
                                    {"minor_faults_per_step", r.minor_faults_per_step}}
                 .dump());
}

void print_speed(const BenchResult& r) {
  fmt::print("{:.0f} tokens/s ({:.0f} with refreshes), {:.0f} % of the measured peak of {:.0f} GFLOP/s\n",
             r.tokens_per_second, r.tokens_per_second_with_refresh, 100 * r.product_rate_share,
             r.product_rate / 1e9);
  fmt::print(
      "step {:.3f} s, of which optimizer {:.3f} s; a refresh of all matrices takes {:.2f} s more; 99 % of "
      "steps take at "
      "most {:.2f} times the median\n",
      r.step_seconds, r.optimizer_seconds, r.refresh_seconds, r.slow_step_share);
  fmt::print(
      "first step done after {:.2f} s; peak memory {} (planned {} and {} for the program, {} of it for "
      "libraries); {} page faults a "
      "step\n",
      r.first_step_seconds, format_bytes(static_cast<double>(r.peak_memory_bytes)),
      format_bytes(static_cast<double>(r.planned_bytes)), format_bytes(static_cast<double>(r.program_bytes)),
      format_bytes(static_cast<double>(r.library_bytes)), r.minor_faults_per_step);
}

}  // namespace

int bench_command(const Arguments& arguments) {
  TrainOptions options;
  OptionTable table;
  int64_t steps = 10;
  bool json = false;
  declare_options(table, options);
  table.group("Output");
  table.add("bench_steps", &steps, "number of timed updates; two updates come before them").range(1, 1e9);
  table.add("json", &json, "print one JSON object");
  if (!parse_with_config("bench", table, arguments)) return 0;
  resolve(options, table);
  set_threads(options.threads);
  const BenchResult r =
      bench(options, steps, [](const std::string& line) { fmt::print(stderr, "{}\n", line); });
  json ? print_json(r) : print_speed(r);
  return 0;
}

}  // namespace galore
