// Measures how fast the batches of a run come without training: `bench_loader BATCHES [options of galore
// train]`. Of the options, the files, the tokenizer, the batch sizes and the number of workers have an
// effect. Prints one JSON object. The first batch fills a stream's buffer or builds a cache, so it is timed
// separately. `--busy SECONDS` waits this long between the batches, like a training step that leaves the
// other threads alone, and reports the remaining time spent on waiting for batches.
#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/arguments.h"
#include "core/clock.h"
#include "core/memory.h"
#include "train/inputs.h"
#include "train/run_builder.h"

namespace {

int run(const std::vector<std::string>& arguments, int64_t batches) {
  using namespace galore;
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  double busy = 0;
  table.add("busy", &busy, "seconds between batches");
  if (!parse_arguments("loader", table, arguments)) return 0;
  resolve(options, table);
  set_threads(options.threads);
  const auto tokenizer = tokenizer_of(options);
  const auto data = open_train_data(options, tokenizer.get(), model_config_of(options),
                                    [](const std::string& line) { fmt::print(stderr, "{}\n", line); });
  const double start = steady_seconds();
  data->next();
  const double first = steady_seconds() - start;
  double waited = 0;
  for (int64_t i = 0; i < batches; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(busy));
    const double asked = steady_seconds();
    data->next();
    waited += steady_seconds() - asked;
  }
  const double tokens =
      static_cast<double>(batches * options.per_device_train_batch_size * options.max_length);
  fmt::print("{}\n", nlohmann::ordered_json{{"tokens_per_second", tokens / waited},
                                            {"tokens", tokens},
                                            {"seconds_waited", waited},
                                            {"busy_seconds", busy * static_cast<double>(batches)},
                                            {"first_batch_seconds", first},
                                            {"epochs", data->epochs()},
                                            {"resident_bytes", resident_bytes()},
                                            {"streaming", options.streaming},
                                            {"workers", options.dataloader_num_workers}}
                         .dump());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    fmt::print(stderr, "usage: bench_loader BATCHES [options of galore train]\n");
    return 2;
  }
  try {
    return run({arguments + 2, arguments + count}, std::stoll(arguments[1]));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
