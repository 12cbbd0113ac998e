// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) without its decay, which the optimizer applies.
//
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   direction = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
#pragma once

#include "optim/update_rules/rule_kind.h"

namespace galore {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  // GaLore's code adds epsilon to sqrt(v) before the bias correction; Adam's paper and torch add it after.
  bool epsilon_before_correction = false;
};
void declare_options(OptionTable& table, AdamWOptions& options);

std::unique_ptr<UpdateRule> make_adamw(const AdamWOptions& options, const StorageOptions& storage,
                                       at::IntArrayRef shape, Workspace& workspace);
std::unique_ptr<RuleKind> adamw_kind(const AdamWOptions& options = {});

}  // namespace galore
