// The table of named optimizers. A preset is a combination of parts and their defaults, nothing else: a new
// combination is a new row.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "optim/methods/galore.h"
#include "optim/methods/method.h"

namespace galore {

// Where decoupled decay W *= 1 - learning_rate * weight_decay stands, or whether decay is added to the
// gradient.
enum class DecayOrder { before, after, coupled };

// Everything that `optim` and `optim_args` decide, resolved.
struct OptimizerSettings {
  std::string preset;
  bool layerwise = false;
  std::string rule = "adamw";    // adamw, adafactor, sgd
  std::string method = "plain";  // of projected weights: plain, galore
  DecayOrder decay_order = DecayOrder::before;
  // Below 0: the trainer's. The trainer's schedule scales either learning rate.
  double learning_rate = -1, weight_decay = -1;
  AdamWOptions adamw;
  AdafactorOptions adafactor;
  SgdOptions sgd;
  StorageOptions storage;
  SubspaceOptions subspace;
  GaLoreOptions galore;
};

struct Preset {
  std::string name;
  std::vector<std::string> aliases;
  std::string title;          // one line
  std::string paper;          // authors, year, arXiv
  std::string state_formula;  // bytes or elements for an m x n weight, m <= n
  std::function<void(OptimizerSettings&)> combine;
  // Declares the options that this preset has.
  std::function<void(OptionTable&, OptimizerSettings&)> declare;
};

const std::vector<Preset>& presets();
// By name or alias, with or without the suffix _layerwise; unknown names throw with the nearest known one.
const Preset& find_preset(const std::string& name);

// `defaults`: settings of the trainer, used where optim_args does not say otherwise and the preset has the
// option (adam_beta1 and the like). `where` goes into messages.
OptimizerSettings resolve_optimizer(const std::string& name, const std::string& optim_args,
                                    const std::vector<std::pair<std::string, std::string>>& defaults = {});

// The parts for one weight. `projected` false: the rule alone. shape: of the weight.
std::unique_ptr<Method> make_method(const OptimizerSettings& settings, at::IntArrayRef shape, bool projected,
                                    Workspace& workspace);

}  // namespace galore
