#include <fmt/core.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/output_path.h"
#include "train/inputs.h"
#include "train/replay.h"
#include "train/train_options.h"

namespace galore {

int replay_command(const Arguments& arguments) {
  ReplayOptions options;
  OptionTable table;
  int64_t threads = 0;
  declare_options(table, options);
  table.add("threads", &threads, "number of threads; 0: one for each processor").range(0, 4096);
  if (!parse_arguments("replay", table, arguments)) return 0;
  if (options.input.empty() || options.output.empty())
    fail_usage("replay", "expected --input TRACE --output FILE");
  set_threads(threads);
  const SafetensorsReader trace(options.input);
  const ReplayResult result = replay(trace, options, given_adam_settings(table));
  for (const std::string& notice : result.notices) fmt::print(stderr, "{}\n", notice);
  write_safetensors(behind_link(options.output), result.weights);
  return 0;
}

}  // namespace galore
