// Trains tensors whose gradients autograd computes: those of a torch::nn module, or any leaf tensors.
//
//   AutogradOptimizer optimizer(module->named_parameters().pairs(), options);
//   optimizer.begin_update(learning_rate);
//   loss.backward();  // once a micro-batch
//   optimizer.finish_update();
//
// A gradient is taken over as soon as autograd has summed it, and `grad()` of the tensor is undefined again:
// of a projected weight only the projection is kept, and with a layer-wise optimizer (the suffix _layerwise)
// the weight is written within backward() and at most two gradients exist at a time.
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

  // The tensors must be leaves that require a gradient, contiguous, fp32 or bf16, and on one device; they are
  // written in place. `places` states by name what the tensors are in their module; the names themselves
  // decide about those that it leaves out (optim/foreign_names.h). options.target_modules says which matrices
  // are projected ("all-linear": all but embedding and head). If it is empty, all matrices are projected
  // where places are given, else those with "attn" or "mlp" in their names. Anything else is an Error, and so
  // are weights in codes (weight_bits=8).
  AutogradOptimizer(const NamedTensors& parameters, const OptimizerOptions& options,
                    const Places& places = {});
  ~AutogradOptimizer();
  AutogradOptimizer(const AutogradOptimizer&) = delete;
  AutogradOptimizer& operator=(const AutogradOptimizer&) = delete;

  // Before the first backward pass of an update. The losses of its micro-batches add up: scale each by its
  // share. A pass outside of an update, or one too many, is an Error.
  void begin_update(double learning_rate, int64_t micro_batches = 1);
  // After the last one. A tensor that a pass did not reach has the gradient zero there.
  UpdateReport finish_update();

  // For its grouping, its options, and its state (StateWriter and StateReader in checkpoint/state_files.h).
  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  // What state and gradients take, by owner; the weights are the caller's.
  const Ledger& ledger() const { return ledger_; }

 private:
  class Hook;
  class HookBinding;
  struct Weight {
    Parameter parameter;
    at::Tensor tensor;
    int64_t remaining = 0;  // reports of this update
    std::unique_ptr<HookBinding> binding;
  };
  void take_gradient(Weight& weight);

  Ledger ledger_;
  Workspace workspace_;
  std::vector<std::unique_ptr<Weight>> weights_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace galore
