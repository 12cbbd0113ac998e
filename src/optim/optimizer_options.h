// What a user may choose of an optimizer beside its preset.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "optim/cloned.h"

namespace galore {

class OptionTable;
struct OptimizerSettings;  // optim/settings.h

// `name` may be a composition (composition.h). `defaults`: settings of the trainer, used where optim_args
// does not say otherwise and the preset has the option (adam_beta1 and the like). `where` goes into messages.
Cloned<OptimizerSettings> resolve_optimizer(
    const std::string& name, const std::string& optim_args,
    const std::vector<std::pair<std::string, std::string>>& defaults = {});

struct WeightOverride {
  std::string pattern;  // as optim_target_modules
  Cloned<OptimizerSettings> settings;
  double learning_rate_factor = 1;
};

struct OptimizerOptions {
  OptimizerOptions();  // AdamW

  Cloned<OptimizerSettings> settings;
  std::vector<std::string> target_modules;
  // Weights with settings of their own. A matrix that one names is targeted.
  std::vector<WeightOverride> overrides;
  double weight_decay = 0;
  // Decay norms and biases too: the papers' optimizers do, transformers' trainer does not.
  bool decay_all = false;
  bool layerwise = false;
  double max_grad_norm = 0;  // 0: no clipping
  // Layer-wise mode cannot know this update's norm before it writes weights: it clips by the norm of the
  // update before (previous_norm) or each tensor by its own norm (per_tensor).
  std::string layerwise_clipping = "previous_norm";
  // full: the gradient of every weight is formed. projected: of projected weights only at refreshes.
  std::string gradient = "projected";
  // Where no gradient is formed in full and an update has several micro-batches. update: bases are taken from
  // the sum of all, which is then formed for each weight that is due. first_micro_batch: no gradient is
  // formed in full, but how an update is cut into micro-batches changes the bases.
  std::string basis_gradient = "update";
  // auto, exact, projected: of which gradient the norm is, where none is formed in full.
  std::string grad_norm = "auto";
  // finish_update may discard: bases then wait for it, which costs a gradient in full for each that is due.
  bool may_discard = false;
  std::string rounding = "nearest";  // of bf16 weights: nearest, stochastic
  bool master_weights = false;       // keep fp32 copies of narrower weights
  // eager: every update is lifted into its weight. lazy: see lazy_lift.h, of all weights whose methods allow
  // it; auto: where it is cheaper with so many tokens an update.
  std::string lift = "eager";
  int64_t tokens_per_update = 0;  // 0: unknown
  uint64_t seed = 42;

  // Whether the norm of whole gradients is computed, even where none is formed in full.
  bool wants_exact_norm() const { return grad_norm == "exact" || (grad_norm == "auto" && max_grad_norm > 0); }
};
void declare_options(OptionTable& table, OptimizerOptions& options);

}  // namespace galore
