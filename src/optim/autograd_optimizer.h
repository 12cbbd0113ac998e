// Trains tensors with gradients from autograd: the parameters of a torch::nn module, or any leaf tensors.
//
//   AutogradOptimizer optimizer(module->named_parameters().pairs(), options);
//   optimizer.begin_update(learning_rate);
//   loss.backward();  // once for each micro-batch
//   optimizer.finish_update();
//
// The optimizer takes a gradient over as soon as autograd has summed it, and the tensor's `grad()` is
// undefined again. Only the projection of a projected weight's gradient is kept. With a layer-wise optimizer
// (the suffix _layerwise) the weight is written within backward(), and at most two gradients exist at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "optim/torch_optimizer.h"

namespace galore {

class AutogradOptimizer {
 public:
  using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
  struct Place {
    Role role = Role::matrix;
    int64_t layer = -1;
  };
  using Places = std::map<std::string, Place>;

  // The tensors are those that TorchOptimizer accepts. `places` states by name the roles of tensors in their
  // module. Roles that it leaves out are derived from the tensors' names (optim/foreign_names.h).
  // options.target_modules says which matrices are projected ("all-linear": all except embedding and head).
  // If it is empty, all matrices are projected where places are given, and otherwise those with "attn" or
  // "mlp" in their names. libtorch keeps one such hook for each tensor, so a tensor that has one is an Error,
  // and no other may be set while the optimizer lives.
  AutogradOptimizer(const NamedTensors& parameters, const OptimizerOptions& options,
                    const Places& places = {});
  ~AutogradOptimizer();
  AutogradOptimizer(const AutogradOptimizer&) = delete;
  AutogradOptimizer& operator=(const AutogradOptimizer&) = delete;

  // Begins an update; call it before its first backward pass. The losses of the micro-batches add up, so
  // scale each by its share. A pass outside of an update, or one too many, is an Error.
  void begin_update(double learning_rate, int64_t micro_batches = 1);
  // Ends an update; call it after its last backward pass. A tensor that no pass reached is left alone with
  // its state, as by torch's optimizers.
  UpdateReport finish_update();

  // Returns the optimizer: its grouping, its options, and its state (StateWriter and StateReader in
  // checkpoint/state_files.h).
  Optimizer& optimizer() { return engine_->optimizer(); }
  const Optimizer& optimizer() const { return engine_->optimizer(); }
  // Returns the bytes of state and gradients by owner. The weights belong to the caller.
  const Ledger& ledger() const { return engine_->ledger(); }

 private:
  class Hook;
  class HookBinding;

  std::unique_ptr<TorchOptimizer> engine_;
  std::vector<std::unique_ptr<HookBinding>> bindings_;
};

}  // namespace galore
