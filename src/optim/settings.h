// Everything that `optim` and `optim_args` decide about one weight, resolved.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "optim/cloned.h"
#include "optim/coded_weights.h"
#include "optim/storage/moment.h"
#include "optim/subspaces/subspace_options.h"
#include "optim/update_rules/rule_kind.h"
#include "optim/update_rules/spam.h"

namespace galore {

class MethodKind;

// Where decoupled decay W *= 1 - learning_rate * weight_decay stands, or whether decay is added to the
// gradient.
enum class DecayOrder { before, after, coupled };

struct OptimizerSettings {
  std::string preset;
  bool layerwise = false;
  Cloned<RuleKind> rule = rule_kind("adamw");  // with its options
  // The method of targeted weights, with its options; null: the rule alone.
  Cloned<MethodKind> method;
  DecayOrder decay_order = DecayOrder::before;
  // Below 0: the trainer's. The trainer's schedule scales either learning rate.
  double learning_rate = -1, weight_decay = -1;
  std::optional<SpamOptions> spam;  // in front of the rule, of every weight
  StorageOptions storage;
  SubspaceOptions subspace;
  std::optional<CodedWeightOptions> coded_weights;  // of targeted weights
};

// The options that these settings have: of the rule, of its storage where it is coded, of the subspace where
// the method has a basis, and the method's own.
void declare_options(OptionTable& table, OptimizerSettings& settings);

// The text of one of them; "" if these settings have no such option.
std::string option_text(const OptimizerSettings& settings, const std::string& name);

// In the full space or in a subspace, for a tensor of `shape`.
std::unique_ptr<UpdateRule> make_rule(const OptimizerSettings& settings, at::IntArrayRef shape,
                                      Workspace& workspace);

}  // namespace galore
