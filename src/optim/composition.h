// Builds an optimizer from parts, for combinations without a name.
//
//   key        values                                        meaning
//   rule       adamw, adafactor, sgd, ...                    turns gradients into directions
//   storage    float32, blockwise_8bit                       format of the moments
//   subspace   none, or a value of the option `subspace`     the subspace in which the rule works
//   residual   none, scaled, sign, gradient                  use of the gradient outside the subspace: none
//                                                            (GaLore), scaled (Fira), its sign (FRUGAL), or
//                                                            the whole gradient is scaled instead (APOLLO)
//   limiter    none, norm_growth, spike_clip                 limits the scaled residual or gradient, or clips
//                                                            spikes before the rule
//
// A composition may also take all parts of a named optimizer with another storage, as in
// method=muon,storage=blockwise_8bit: `method` replaces rule, subspace, residual and limiter. State other
// than elementwise moments (means of rows, bases, a factor) keeps its format. With 8-bit storage AdamW's
// epsilon is at least 1e-8, unless it is given.
//
// All other keys are options of the parts, as in optim_args. Combinations without a meaning are refused with
// the reason.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "optim/settings.h"

namespace galore {

// Returns true when `optim` is a list such as "rule=adamw,subspace=warm,rank=256" and not a name.
bool is_composition(const std::string& optim);
// Returns the settings of a composition. `defaults` has the meaning that it has in resolve_optimizer().
OptimizerSettings compose(const std::string& text,
                          const std::vector<std::pair<std::string, std::string>>& defaults);

}  // namespace galore
