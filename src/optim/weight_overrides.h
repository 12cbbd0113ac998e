// Weights that are trained otherwise than the rest of the model, by name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/parameter.h"
#include "optim/optimizer_options.h"

namespace galore {

// "pattern=down_proj,optim=adamw;pattern=layers.0,rank=64,learning_rate_factor=0.5": what is not said is as
// in the run, whose optimizer the first three arguments are (as resolve_optimizer's). Of a named optimizer
// the run's optim_args are not taken over. Where a pattern is missing, an option unknown or a value bad, it
// throws.
std::vector<WeightOverride> parse_overrides(const std::string& optim, const std::string& optim_args,
                                            const std::vector<std::pair<std::string, std::string>>& defaults,
                                            const std::string& text);
// The first override whose pattern matches the parameter, or null.
const WeightOverride* find_override(const std::vector<WeightOverride>& overrides, const Parameter& parameter);

}  // namespace galore
