// The options of an optimizer that a user may choose in addition to its preset.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "optim/cloned.h"

namespace galore {

class OptionTable;
struct Parameter;
struct OptimizerSettings;  // optim/settings.h

// Returns the settings of an optimizer; `name` may be a composition (composition.h). `defaults` are settings
// of the trainer such as adam_beta1; they apply to options that the preset has and optim_args does not set.
Cloned<OptimizerSettings> resolve_optimizer(
    const std::string& name, const std::string& optim_args,
    const std::vector<std::pair<std::string, std::string>>& defaults = {});

struct WeightOverride {
  std::string pattern;  // as optim_target_modules; "": matches no weight by its name
  Cloned<OptimizerSettings> settings;
  double learning_rate_factor = 1;
};

// A caller that groups weights by itself states for one weight which settings it has.
struct WeightChoice {
  std::optional<size_t> own_settings;  // an index of `overrides`; nothing: the settings of all weights
  std::optional<bool> targeted;        // nothing: target_modules decide
};

struct OptimizerOptions {
  OptimizerOptions();  // AdamW

  Cloned<OptimizerSettings> settings;
  std::vector<std::string> target_modules;
  // Weights with their own settings. A matrix that an override names is targeted.
  std::vector<WeightOverride> overrides;
  // By the name of the weight. A weight that has a choice is not looked up by patterns.
  std::map<std::string, WeightChoice> choices;
  double weight_decay = 0;
  // Multiplies the learning rate of each weight; null: 1 for all.
  std::function<double(const Parameter&)> learning_rate_factor = nullptr;
  // Also decay norms and biases, as the papers' optimizers do; transformers' trainer does not.
  bool decay_all = false;
  bool layerwise = false;
  double max_grad_norm = 0;  // 0: no clipping
  // Layer-wise mode cannot know this update's norm before it writes weights. It clips by the norm of the
  // previous update (previous_norm) or each tensor by its own norm (per_tensor).
  std::string layerwise_clipping = "previous_norm";
  // full: the gradient of every weight is formed. projected: gradients of projected weights are formed only
  // when a refresh cannot work with products alone.
  std::string gradient = "projected";
  // Applies when gradients are not formed in full and an update has several micro-batches. update: bases come
  // from the sum of all micro-batches, which is formed for each weight that is due. first_micro_batch: no
  // gradient is formed in full, but the bases depend on how an update is split into micro-batches.
  std::string basis_gradient = "update";
  // The gradient whose norm is computed when gradients are not formed in full: auto, exact or projected.
  std::string grad_norm = "auto";
  // finish_update may discard the update. Refreshes of bases then wait for it, which costs a full gradient
  // for each weight that is due.
  bool may_discard = false;
  std::string rounding = "nearest";  // rounding of bf16 weights: nearest or stochastic
  bool master_weights = false;       // keep fp32 copies of bf16 weights
  // eager: every update is lifted into its weight. lazy: all weights with a suitable method are lifted when
  // the basis changes (lazy_lift.h). auto: lazy if it is cheaper with this number of tokens in an update.
  std::string lift = "eager";
  int64_t tokens_per_update = 0;  // 0: unknown
  uint64_t seed = 42;
  // This says which of several processes keep the state of a weight and make its updates (ownership.h).
  // owners: one process does, as far as the weight's method allows. all: every process does. auto: one
  // process does, unless its answers are larger than the sums of gradients, which are sent as
  // `exchange_dtype`, or it would send over a tenth more than an equal share of all numbers, which no choice
  // of owners can balance.
  std::string exchange_updates = "auto", exchange_dtype = "float32";

  // Returns true if the norm of full gradients is needed, even where no full gradient is formed.
  bool wants_exact_norm() const { return grad_norm == "exact" || (grad_norm == "auto" && max_grad_norm > 0); }
};
void declare_options(OptionTable& table, OptimizerOptions& options);

}  // namespace galore
