#include "optim/autograd_optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "core/errors.h"
#include "optim/foreign_names.h"
#include "optim/quantized_weights.h"

namespace galore {
namespace {

at::Device device_of(const AutogradOptimizer::NamedTensors& parameters) {
  if (parameters.empty()) fail_usage("optimizer", "expected at least one parameter, given none");
  const at::Tensor& first = parameters[0].second;
  return first.defined() ? first.device() : at::Device(at::kCPU);  // check() refuses undefined tensors
}

void check(const std::string& name, const at::Tensor& tensor, at::Device device) {
  const auto require = [&](bool holds, const char* expected, const std::string& given) {
    if (!holds) fail_usage("optimizer", "{}: expected {}, given {}", name, expected, given);
  };
  require(tensor.defined(), "a tensor", "an undefined one");
  require(tensor.is_leaf() && tensor.requires_grad(), "a leaf that requires a gradient",
          tensor.is_leaf() ? "one that requires none" : "a result of other tensors");
  require(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16, "float32 or bfloat16",
          c10::toString(tensor.scalar_type()));
  require(tensor.layout() == at::kStrided && tensor.is_contiguous(), "a contiguous tensor", "another layout");
  require(tensor.device() == device, "the device of the first parameter", tensor.device().str());
}

}  // namespace

class AutogradOptimizer::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(AutogradOptimizer& optimizer, Weight& weight) : optimizer_(optimizer), weight_(weight) {}
  void operator()(const at::Tensor&) override { optimizer_.take_gradient(weight_); }

 private:
  AutogradOptimizer& optimizer_;
  Weight& weight_;
};

// Attaches a hook to a weight's tensor and removes it when destroyed.
class AutogradOptimizer::HookBinding {
 public:
  HookBinding(AutogradOptimizer& optimizer, Weight& weight) : tensor_(weight.tensor) {
    torch::autograd::impl::set_post_acc_grad_hooks(tensor_, std::make_unique<Hook>(optimizer, weight));
  }
  ~HookBinding() { torch::autograd::impl::set_post_acc_grad_hooks(tensor_, nullptr); }
  HookBinding(const HookBinding&) = delete;
  HookBinding& operator=(const HookBinding&) = delete;

 private:
  at::Tensor tensor_;
};

AutogradOptimizer::AutogradOptimizer(const NamedTensors& parameters, const OptimizerOptions& given,
                                     const Places& places)
    : ledger_(device_of(parameters)), workspace_(ledger_) {
  OptimizerOptions options = given;
  if (options.target_modules.empty() && places.empty()) options.target_modules = default_targets_by_name();
  ParameterList list;
  for (const auto& [name, tensor] : parameters) {
    check(name, tensor, ledger_.device());
    Weight& weight = *weights_.emplace_back(std::make_unique<Weight>());
    weight.tensor = tensor;
    weight.parameter.name = name;
    const auto place = places.find(name);
    const bool stated = place != places.end();
    weight.parameter.role = stated ? place->second.role : role_by_name(name, tensor.dim());
    weight.parameter.layer = stated ? place->second.layer : layer_by_name(name);
    weight.parameter.value = tensor.detach();
    if (weight_format(options, weight.parameter))
      fail_usage("weight_bits", "expected 16 in optim_args: autograd cannot read {} from codes", name);
    list.push_back(&weight.parameter);
  }
  optimizer_ = std::make_unique<Optimizer>(list, options, workspace_);
  for (const auto& weight : weights_) weight->binding = std::make_unique<HookBinding>(*this, *weight);
}

AutogradOptimizer::~AutogradOptimizer() = default;

void AutogradOptimizer::begin_update(double learning_rate, int64_t micro_batches) {
  for (const auto& weight : weights_) {
    weight->tensor.mutable_grad().reset();  // otherwise autograd would add to an older gradient
    weight->remaining = micro_batches;
  }
  optimizer_->begin_update(learning_rate, micro_batches);
}

void AutogradOptimizer::take_gradient(Weight& weight) {
  const c10::NoGradGuard no_grad;
  const at::Tensor gradient = std::exchange(weight.tensor.mutable_grad(), at::Tensor());
  if (weight.remaining == 0)
    fail_usage("optimizer", "{}: expected begin_update() and no more backward passes than its micro_batches",
               weight.parameter.name);
  if (gradient.layout() != at::kStrided)
    fail_usage("optimizer", "{}: expected a dense gradient, given a sparse one", weight.parameter.name);
  --weight.remaining;
  weight.parameter.sink->add(gradient);
  weight.parameter.sink->use_done();
}

UpdateReport AutogradOptimizer::finish_update() {
  const c10::NoGradGuard no_grad;
  for (const auto& weight : weights_)
    for (; weight->remaining > 0; --weight->remaining) {
      weight->parameter.sink->add(at::zeros_like(weight->tensor));  // so that decay and moments go on
      weight->parameter.sink->use_done();
    }
  return optimizer_->finish_update();
}

}  // namespace galore
