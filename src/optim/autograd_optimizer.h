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

#include "optim/optimizer.h"

namespace galore {

class AutogradOptimizer {
 public:
  using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
  struct Place {
    Role role = Role::matrix;
    int64_t layer = -1;
  };
  using Places = std::map<std::string, Place>;

  // The tensors must be contiguous leaves that require a gradient, in fp32 or bf16 and all on one device;
  // they are updated in place. `places` states by name the roles of tensors in their module. Roles that it
  // leaves out are derived from the tensors' names (optim/foreign_names.h). options.target_modules says which
  // matrices are projected ("all-linear": all except embedding and head). If it is empty, all matrices are
  // projected where places are given, and otherwise those with "attn" or "mlp" in their names. Any other
  // tensor is an Error, and so are quantized weights (weight_bits=8).
  AutogradOptimizer(const NamedTensors& parameters, const OptimizerOptions& options,
                    const Places& places = {});
  ~AutogradOptimizer();
  AutogradOptimizer(const AutogradOptimizer&) = delete;
  AutogradOptimizer& operator=(const AutogradOptimizer&) = delete;

  // Begins an update; call it before its first backward pass. The losses of the micro-batches add up, so
  // scale each by its share. A pass outside of an update, or one too many, is an Error.
  void begin_update(double learning_rate, int64_t micro_batches = 1);
  // Ends an update; call it after its last backward pass. A tensor that a pass did not reach gets a gradient
  // of zero.
  UpdateReport finish_update();

  // Returns the optimizer: its grouping, its options, and its state (StateWriter and StateReader in
  // checkpoint/state_files.h).
  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  // Returns the bytes of state and gradients by owner. The weights belong to the caller.
  const Ledger& ledger() const { return ledger_; }

 private:
  class Hook;
  class HookBinding;
  struct Weight {
    Parameter parameter;
    at::Tensor tensor;
    int64_t remaining = 0;  // gradients of this update that are still missing
    std::unique_ptr<HookBinding> binding;
  };
  void take_gradient(Weight& weight);

  Ledger ledger_;
  Workspace workspace_;
  std::vector<std::unique_ptr<Weight>> weights_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace galore
