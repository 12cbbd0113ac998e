// Weights that are trained with other settings than the rest of the model, selected by name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/parameter.h"
#include "optim/optimizer_options.h"

namespace galore {

// Parses "pattern=down_proj,optim=adamw;pattern=layers.0,rank=64,learning_rate_factor=0.5". Settings that an
// entry does not name are those of the run's optimizer, which the first three arguments describe (as in
// resolve_optimizer()). An entry that names another optimizer does not take over the run's optim_args. A
// missing pattern, an unknown option and an invalid value are Errors.
std::vector<WeightOverride> parse_overrides(const std::string& optim, const std::string& optim_args,
                                            const std::vector<std::pair<std::string, std::string>>& defaults,
                                            const std::string& text);
// Returns the override that the options choose for the parameter, otherwise the first one with a pattern that
// matches it, or null.
const WeightOverride* find_override(const OptimizerOptions& options, const Parameter& parameter);

}  // namespace galore
