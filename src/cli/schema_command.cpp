#include <fmt/core.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/option_schema.h"
#include "train/train_options.h"

namespace galore {

int schema_command(const Arguments& arguments) {
  OptionTable own;
  if (!parse_arguments("schema", own, arguments)) return 0;
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  fmt::print("{}\n", option_schema(table).dump(2));
  return 0;
}

}  // namespace galore
