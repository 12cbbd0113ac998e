#include <fmt/core.h>
#include <torch/version.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/options.h"
#include "kernels/cpu_features.h"

namespace galore {

int version_command(const std::vector<std::string>& arguments) {
  OptionTable table;
  if (!parse_arguments("version", table, arguments)) return 0;
  fmt::print("galore {}\nlibtorch {}, {} CUDA\nproducts in bf16: {} on this processor\nkernels: {}\n",
             GALORE_VERSION, TORCH_VERSION, GALORE_HAS_CUDA ? "with" : "without",
             has_fast_bf16() ? "fast" : "slow", kernel_level());
  return 0;
}

}  // namespace galore
