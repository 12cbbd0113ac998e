// RMSProp (Tieleman and Hinton 2012, lecture 6.5): v = beta v + (1 - beta) g^2, direction g / (sqrt(v) +
// epsilon), without bias correction, as in Fira's code. PyTorch's defaults are 0.99 and 1e-8.
#pragma once

#include "optim/update_rules/rule_kind.h"

namespace galore {

struct RmsPropOptions {
  double beta = 0.9, epsilon = 1e-6;
};
void declare_options(OptionTable& table, RmsPropOptions& options);

std::unique_ptr<UpdateRule> make_rms_prop(const RmsPropOptions& options, const StorageOptions& storage,
                                          at::IntArrayRef shape, Workspace& workspace);
std::unique_ptr<RuleKind> rms_prop_kind(const RmsPropOptions& options = {});

}  // namespace galore
