// SGD with momentum in PyTorch's form: m = momentum m + (1 - dampening) g. The direction is m, or g +
// momentum m with nesterov.
#pragma once

#include "optim/update_rules/rule_kind.h"

namespace galore {

struct SgdOptions {
  double momentum = 0, dampening = 0;
  bool nesterov = false;
};
void declare_options(OptionTable& table, SgdOptions& options);

std::unique_ptr<UpdateRule> make_sgd(const SgdOptions& options, const StorageOptions& storage,
                                     at::IntArrayRef shape, Workspace& workspace);
std::unique_ptr<RuleKind> sgd_kind(const SgdOptions& options = {});

}  // namespace galore
