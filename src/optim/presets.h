// The table of named optimizers. A preset is a combination of parts and their defaults, nothing else: a new
// combination is a new row.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "optim/methods/galore.h"
#include "optim/methods/method.h"
#include "optim/state_formula.h"

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
  std::string_view title;          // one line
  std::string_view paper;          // authors, year, arXiv
  std::vector<StateTensor> state;  // of a matrix, projected if the preset projects
  std::function<void(OptimizerSettings&)> combine;
  // Declares the options that this preset has.
  std::function<void(OptionTable&, OptimizerSettings&)> declare;
  std::string state_formula = {};  // `state` in words; filled in by presets()
};

const std::vector<Preset>& presets();
// By name or alias, with or without the suffix _layerwise; unknown names throw with the nearest known one.
const Preset& find_preset(const std::string& name);

// `defaults`: settings of the trainer, used where optim_args does not say otherwise and the preset has the
// option (adam_beta1 and the like). `where` goes into messages.
OptimizerSettings resolve_optimizer(const std::string& name, const std::string& optim_args,
                                    const std::vector<std::pair<std::string, std::string>>& defaults = {});

// Bytes of moments and bases of a rows x columns weight, projected if the preset projects, by the preset's
// `state`. Not for proj_type=full, which no row describes.
int64_t state_bytes(const OptimizerSettings& settings, int64_t rows, int64_t columns);

// The parts for one weight. `projected` false: the rule alone. shape: of the weight.
std::unique_ptr<Method> make_method(const OptimizerSettings& settings, at::IntArrayRef shape, bool projected,
                                    Workspace& workspace);

}  // namespace galore
