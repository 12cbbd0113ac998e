// An optimizer put together from parts, for combinations that have no name.
//
//   key        values                                        what it decides
//   rule       adamw, adafactor, sgd, ...                    how gradients become directions
//   storage    float32, blockwise_8bit                       of the moments
//   subspace   none, or a value of the option `subspace`     inside what the rule works
//   residual   none, scaled, sign, gradient                  what is made of the gradient outside the
//                                                            subspace: nothing (GaLore), scaled (Fira), its
//                                                            sign (FRUGAL), or the whole gradient is scaled
//                                                            instead (APOLLO)
//   limiter    none, norm_growth, spike_clip                 of the scaled residual or gradient; of spikes
//                                                            before the rule
//
// Or all parts of a named optimizer with another storage, as method=muon,storage=blockwise_8bit: `method`
// takes the place of rule, subspace, residual and limiter. What it keeps of other kinds than moments of
// elements (means of rows, bases, a factor) stays as it is. With codes AdamW's epsilon is 1e-8 at least,
// unless it is given.
//
// Other keys are options of the parts, as in optim_args. Combinations that mean nothing are refused with the
// reason.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "optim/settings.h"

namespace galore {

// "rule=adamw,subspace=warm,rank=256": whether `optim` is such a list instead of a name.
bool is_composition(const std::string& optim);
// `defaults`: as resolve_optimizer's.
OptimizerSettings compose(const std::string& text,
                          const std::vector<std::pair<std::string, std::string>>& defaults);

}  // namespace galore
