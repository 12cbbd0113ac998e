// Applies an optimizer to recorded gradients: for comparing optimizers with other code, and for our tests.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "core/options.h"
#include "optim/optimizer.h"

namespace galore {

struct ReplayOptions {
  std::string input, output;
  std::string optim = "galore_adamw", optim_args;
  double learning_rate = 1e-3;
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  OptimizerOptions optimizer;  // weight decay acts on every tensor
};
void declare_options(OptionTable& table, ReplayOptions& options);

struct ReplayResult {
  std::vector<TensorToWrite>
      weights;  // "weights/<step>/<name>", the weights after that step, in the trace's dtype
  std::vector<std::string> notices;
};

// `trace` holds weights/<name> and gradients/<step>/<name> for steps 0 to N-1, every name at every step, in
// any float dtype. `adam`: the Adam settings to use where optim_args does not say otherwise; leave out what
// the user did not give, and the optimizer's own defaults hold.
ReplayResult replay(const SafetensorsReader& trace, const ReplayOptions& options,
                    const std::vector<std::pair<std::string, std::string>>& adam);

}  // namespace galore
