// Applies an optimizer to recorded gradients, to compare optimizers with other code and for our tests.
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
      weights;  // "weights/<step>/<name>": the weights after this step, in the trace's dtype
  std::vector<std::string> notices;
};

// `trace` holds weights/<name> and gradients/<step>/<name> for steps 0 to N-1, every name at every step, in
// any float dtype. `adam` holds the Adam settings that the user gave; they apply unless optim_args overrides
// them. Settings that it does not contain keep the optimizer's own defaults.
ReplayResult replay(const SafetensorsReader& trace, const ReplayOptions& options,
                    const std::vector<std::pair<std::string, std::string>>& adam);

}  // namespace galore
