// Adafactor (Shazeer and Stern 2018, arXiv 1804.04235) with relative_step and scale_parameter off, as in
// GaLore's code. A matrix keeps row and column means of the squared gradient; other tensors keep all squares.
//
// There is one departure: the first moment averages directions without the learning rate, because a rule does
// not know the rate; the published code averages them with it. Under a constant rate both are equal.
#pragma once

#include "optim/update_rules/rule_kind.h"

namespace galore {

struct AdafactorOptions {
  double beta1 = 0;  // 0: no first moment; -1: no first moment and no option for it
  double decay_rate = -0.8, epsilon = 1e-30, clip_threshold = 1.0;
};
void declare_options(OptionTable& table, AdafactorOptions& options);

std::unique_ptr<UpdateRule> make_adafactor(const AdafactorOptions& options, const StorageOptions& storage,
                                           at::IntArrayRef shape, Workspace& workspace);
std::unique_ptr<RuleKind> adafactor_kind(const AdafactorOptions& options = {});

}  // namespace galore
