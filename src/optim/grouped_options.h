// The options of an optimizer with parameters in groups, each with settings of its own, as in torch.optim.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "optim/optimizer_options.h"

namespace galore {

// One optimizer by name or composition, with its optim_args.
struct GroupSettings {
  std::string optim, optim_args;
};

// One parameter: the index of its settings, and whether it is projected. Nothing: target_modules decide.
struct GroupedWeight {
  std::string name;
  size_t settings = 0;
  std::optional<bool> targeted = {};
};

// `options` are pairs of name and text: those of declare_options(OptionTable&, OptimizerOptions&) and `seed`.
OptimizerOptions grouped_options(const std::vector<GroupSettings>& settings,
                                 const std::vector<GroupedWeight>& weights,
                                 const std::vector<std::pair<std::string, std::string>>& options);

}  // namespace galore
