#include "optim/autograd_optimizer.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <utility>

#include "core/errors.h"
#include "optim/foreign_names.h"

namespace galore {
namespace {

std::vector<TorchOptimizer::Entry> entries_of(const AutogradOptimizer::NamedTensors& parameters,
                                              const AutogradOptimizer::Places& places) {
  std::vector<TorchOptimizer::Entry> entries;
  for (const auto& [name, tensor] : parameters) {
    const auto place = places.find(name);
    const bool stated = place != places.end();
    entries.push_back({.name = name, .tensor = tensor});
    if (!tensor.defined()) continue;  // the engine refuses it
    entries.back().role = stated ? place->second.role : role_by_name(name, tensor.dim());
    entries.back().layer = stated ? place->second.layer : layer_by_name(name);
  }
  return entries;
}

}  // namespace

class AutogradOptimizer::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(TorchOptimizer& engine, size_t index) : engine_(engine), index_(index) {}
  void operator()(const at::Tensor& tensor) override {
    const at::Tensor gradient = std::exchange(tensor.mutable_grad(), at::Tensor());
    if (gradient.defined()) engine_.take(index_, gradient);  // a function may return none for an input
  }

 private:
  TorchOptimizer& engine_;
  size_t index_;
};

// Attaches a hook to a weight's tensor and removes it when destroyed.
class AutogradOptimizer::HookBinding {
 public:
  HookBinding(const std::string& name, at::Tensor tensor, std::unique_ptr<Hook> hook)
      : tensor_(std::move(tensor)) {
    if (torch::autograd::impl::post_acc_grad_hooks(tensor_))
      fail_usage("optimizer",
                 "{}: expected a tensor without a hook after its gradient, given one with a hook", name);
    torch::autograd::impl::set_post_acc_grad_hooks(tensor_, std::move(hook));
  }
  ~HookBinding() { torch::autograd::impl::set_post_acc_grad_hooks(tensor_, nullptr); }
  void drop_gradient() { tensor_.mutable_grad().reset(); }
  HookBinding(const HookBinding&) = delete;
  HookBinding& operator=(const HookBinding&) = delete;

 private:
  at::Tensor tensor_;
};

AutogradOptimizer::AutogradOptimizer(const NamedTensors& parameters, const OptimizerOptions& given,
                                     const Places& places) {
  OptimizerOptions options = given;
  if (options.target_modules.empty() && places.empty()) options.target_modules = default_targets_by_name();
  engine_ = std::make_unique<TorchOptimizer>(entries_of(parameters, places), options);
  for (size_t i = 0; i < parameters.size(); ++i)
    bindings_.push_back(std::make_unique<HookBinding>(parameters[i].first, parameters[i].second,
                                                      std::make_unique<Hook>(*engine_, i)));
}

AutogradOptimizer::~AutogradOptimizer() = default;

void AutogradOptimizer::begin_update(double learning_rate, int64_t micro_batches) {
  // Otherwise autograd would add to an older gradient.
  for (const auto& binding : bindings_) binding->drop_gradient();
  engine_->begin(learning_rate, micro_batches);
}

UpdateReport AutogradOptimizer::finish_update() { return engine_->finish(); }

}  // namespace galore
