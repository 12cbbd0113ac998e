// All decisions of `optim` and `optim_args` about one weight.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "optim/cloned.h"
#include "optim/quantized_weights.h"
#include "optim/storage/moment.h"
#include "optim/subspaces/subspace_options.h"
#include "optim/update_rules/rule_kind.h"
#include "optim/update_rules/spam.h"

namespace galore {

class MethodKind;

// The place of decoupled decay W *= 1 - learning_rate * weight_decay: before or after the update. coupled:
// the decay is added to the gradient.
enum class DecayOrder { before, after, coupled };

struct OptimizerSettings {
  std::string preset;
  bool layerwise = false;
  Cloned<RuleKind> rule = rule_kind("adamw");  // holds the rule's options
  // The method of targeted weights, with its options. If it is null, the rule alone trains them.
  Cloned<MethodKind> method;
  DecayOrder decay_order = DecayOrder::before;
  // Below 0: the trainer's values apply. The trainer's schedule scales either learning rate.
  double learning_rate = -1, weight_decay = -1;
  std::optional<SpamOptions> spam;  // precedes the rule of every weight
  StorageOptions storage;
  SubspaceOptions subspace;
  std::optional<QuantizedWeightOptions> quantized_weights;  // for targeted weights
};

// Declares the options that these settings have: those of the rule, of 8-bit storage, of the subspace if the
// method has a basis, and of the method.
void declare_options(OptionTable& table, OptimizerSettings& settings);

// Returns the text of an option, or "" if these settings do not have it.
std::string option_text(const OptimizerSettings& settings, const std::string& name);

// Makes the rule for a tensor of `shape`, in the full space or in a subspace.
std::unique_ptr<UpdateRule> make_rule(const OptimizerSettings& settings, at::IntArrayRef shape,
                                      Workspace& workspace);

}  // namespace galore
