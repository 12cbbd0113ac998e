// Builds the objects of a run from its options: model configuration, model, weights, workspace, optimizer.
#pragma once

#include <functional>
#include <memory>

#include "core/collective.h"
#include "models/causal_lm.h"
#include "optim/optimizer.h"
#include "train/movement_watch.h"
#include "train/target_network.h"
#include "train/train_options.h"

namespace galore {

using MakeModel =
    std::function<std::unique_ptr<TrainableModel>(const ModelConfig&, const ModelOptions&, Ledger&)>;

// Each object refers to the objects before it.
struct RunObjects {
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<TrainableModel> model;
  std::unique_ptr<Workspace> workspace;   // created with the optimizer
  std::unique_ptr<Optimizer> optimizer;   // null until add_optimizer() is called
  std::unique_ptr<TargetNetwork> target;  // null unless the options ask for one
  std::unique_ptr<MovementWatch> watch;   // null unless weights are rounded to nearest
};

// The vocabulary is the one that resize_vocab asks for.
ModelConfig model_config_of(const ModelSource& source);
// Returns the configuration of a training run. A model whose head does not fit the task gets a new head.
ModelConfig model_config_of(const TrainOptions& options);
// Returns the model's options. `optimizer` decides which weights are quantized, and compute_dtype=auto
// depends on the device.
ModelOptions model_options(const ModelSource& source, const std::string& device,
                           const OptimizerOptions& optimizer = {});
ModelOptions model_options(const TrainOptions& options);
// Returns the loss of pairs that these options describe.
LossOptions preference_loss(const TaskOptions& options);
// Returns the value of neftune_noise_alpha; a text that is neither a number nor none is a UsageError.
double noise_alpha_of(const LossChoice& options);

// Builds the model without setting its weights. On the meta device everything is counted and nothing
// allocated.
RunObjects build_model(const ModelConfig& config, const ModelOptions& options, at::Device device,
                       const MakeModel& make_model = galore::make_model);
// Reads the weights of model_name_or_path or, if it is empty, draws them by the seed. Then it reads the
// weights of adapter_name_or_path, or draws those of a new adapter. Returns a note for the user, or "".
std::string set_weights(TrainableModel& model, const ModelSource& source, int64_t seed);
// Makes the optimizer. Learning rates that an adapter states for some parameters are kept at their ratio to
// `learning_rate`, the rate of the run.
void add_optimizer(RunObjects& run, const OptimizerOptions& options, double learning_rate = 1,
                   Collective& collective = single_process());

}  // namespace galore
