#include "optim/torch_optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <set>

#include "core/errors.h"
#include "optim/quantized_weights.h"

namespace galore {
namespace {

at::Device device_of_all(const std::vector<TorchOptimizer::Entry>& entries) {
  if (entries.empty()) fail_usage("optimizer", "expected at least one parameter, given none");
  const at::Tensor& first = entries[0].tensor;
  return first.defined() ? first.device() : at::Device(at::kCPU);  // the check refuses undefined tensors
}

bool is_weight_type(at::ScalarType type) {
  return type == at::kFloat || type == at::kBFloat16 || type == at::kHalf;
}

void require(const std::string& name, bool holds, const char* expected, const std::string& given) {
  if (!holds) fail_usage("optimizer", "{}: expected {}, given {}", name, expected, given);
}

void check_entry(const TorchOptimizer::Entry& entry, at::Device device) {
  const at::Tensor& tensor = entry.tensor;
  require(entry.name, tensor.defined(), "a tensor", "an undefined one");
  require(entry.name, tensor.is_leaf() && tensor.requires_grad(), "a leaf that requires a gradient",
          tensor.is_leaf() ? "one that requires none" : "a result of other tensors");
  require(entry.name, is_weight_type(tensor.scalar_type()), "float32, bfloat16 or float16",
          c10::toString(tensor.scalar_type()));
  require(entry.name, tensor.layout() == at::kStrided, "a dense tensor", "another layout");
  require(entry.name, tensor.device() == device, "the device of the first parameter", tensor.device().str());
}

void check_gradient(const std::string& name, const at::Tensor& gradient, const at::Tensor& tensor) {
  require(name, gradient.layout() == at::kStrided, "a dense gradient", "a sparse one");
  require(name, gradient.is_floating_point(), "a gradient of real numbers",
          c10::toString(gradient.scalar_type()));
  require(name, gradient.sizes() == tensor.sizes(), "a gradient of the tensor's shape", "another shape");
  require(name, gradient.device() == tensor.device(), "a gradient on the tensor's device",
          gradient.device().str());
}

}  // namespace

TorchOptimizer::TorchOptimizer(const std::vector<Entry>& entries, const OptimizerOptions& options)
    : ledger_(device_of_all(entries)), workspace_(ledger_) {
  const c10::NoGradGuard no_grad;
  ParameterList list;
  std::set<std::string> names;
  for (const Entry& entry : entries) {
    check_entry(entry, ledger_.device());
    require(entry.name, names.insert(entry.name).second, "a name of its own", "one that occurs twice");
    Weight& weight = *weights_.emplace_back(std::make_unique<Weight>());
    weight.tensor = entry.tensor;
    weight.sizes_only =
        at::empty({}, entry.tensor.options().requires_grad(false)).expand(entry.tensor.sizes());
    weight.parameter.name = entry.name;
    weight.parameter.role = entry.role;
    weight.parameter.layer = entry.layer;
    weight.parameter.whole_products = entry.whole_products;
    open(weight);
    if (weight_format(options, weight.parameter))
      fail_usage("weight_bits", "expected 16 in optim_args: autograd cannot read {} from codes", entry.name);
    list.push_back(&weight.parameter);
  }
  optimizer_ = std::make_unique<Optimizer>(list, options, workspace_);
  for (const auto& weight : weights_) weight->parameter.value = weight->sizes_only;
}

TorchOptimizer::~TorchOptimizer() = default;

// Takes the alias of the weight afresh, because the tensor may have got another storage.
void TorchOptimizer::open(Weight& weight) {
  const at::Tensor& tensor = weight.tensor;
  const std::string& name = weight.parameter.name;
  require(name, tensor.scalar_type() == weight.sizes_only.scalar_type(), "the type that the tensor had",
          c10::toString(tensor.scalar_type()));
  require(name, tensor.device() == ledger_.device(), "the device that the tensor was on",
          tensor.device().str());
  require(name, tensor.sizes() == weight.sizes_only.sizes(), "the shape that the tensor had", "another one");
  weight.parameter.value = tensor.detach().contiguous();
}

// Lets go of the weight after an update. Kernels write through pointers, which autograd does not notice.
void TorchOptimizer::close(Weight& weight) {
  if (weight.reported) {
    if (!weight.tensor.is_contiguous()) weight.tensor.detach().copy_(weight.parameter.value);
    weight.tensor.unsafeGetTensorImpl()->bump_version();
  }
  weight.parameter.value = weight.sizes_only;
}

void TorchOptimizer::begin(double learning_rate, int64_t micro_batches) {
  counted_ = micro_batches < Optimizer::kUnknownMicroBatches;
  for (const auto& weight : weights_) {
    weight->remaining = micro_batches;
    weight->reported = false;
  }
  optimizer_->begin_update(learning_rate, micro_batches);
}

bool TorchOptimizer::expect(size_t index, bool last) {
  Weight& weight = *weights_.at(index);
  if (weight.remaining == 0)
    fail_usage("optimizer", "{}: expected begin_update() and no more backward passes than its micro_batches",
               weight.parameter.name);
  if (!counted_ && last) {
    optimizer_->close(index);
    weight.remaining = 1;
  }
  const bool is_last = weight.remaining == 1;
  if (is_last && optimizer_->options().layerwise) open(weight);
  --weight.remaining;
  return is_last;
}

void TorchOptimizer::report(size_t index, bool last, const std::function<void(GradientSink&)>& add) {
  const c10::NoGradGuard no_grad;
  const bool is_last = expect(index, last);
  add(*weights_[index]->parameter.sink);
  is_last ? use(index) : weights_[index]->parameter.sink->use_done();
}

void TorchOptimizer::use(size_t index) {
  const c10::NoGradGuard no_grad;
  Weight& weight = *weights_.at(index);
  weight.parameter.sink->use_done();
  if (optimizer_->options().layerwise) close(weight);
}

at::Tensor TorchOptimizer::take_sum(size_t index, const at::Tensor& gradient, bool last) {
  const c10::NoGradGuard no_grad;
  Weight& weight = *weights_.at(index);
  check_gradient(weight.parameter.name, gradient, weight.tensor);
  const bool is_last = expect(index, last);
  weight.reported = true;
  weight.parameter.sink->add(gradient);
  if (is_last) return optimizer_->sum_of(index);
  weight.parameter.sink->use_done();
  return {};
}

void TorchOptimizer::take(size_t index, const at::Tensor& gradient, bool last) {
  const Weight& weight = *weights_.at(index);
  check_gradient(weight.parameter.name, gradient, weight.tensor);
  add(index, gradient, last);
}

void TorchOptimizer::add(size_t index, const at::Tensor& gradient, bool last) {
  report(index, last, [&](GradientSink&) {
    weights_[index]->reported = true;
    optimizer_->lend(index, gradient);
  });
}

void TorchOptimizer::take_product(size_t index, const at::Tensor& output_gradient, const at::Tensor& input,
                                  bool last) {
  report(index, last, [&](GradientSink& sink) {
    weights_[index]->reported = true;
    sink.add_product(output_gradient, input);
  });
}

UpdateReport TorchOptimizer::finish(bool discard) {
  const c10::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (discard) weights_[i]->remaining = 0;
    while (waits(i)) report(i, /*last=*/true, [](GradientSink&) {});
  }
  const bool writes = !optimizer_->options().layerwise && !discard;
  if (writes)
    for (const auto& weight : weights_) open(*weight);
  UpdateReport report = optimizer_->finish_update(discard);
  if (writes)
    for (const auto& weight : weights_) close(*weight);
  return report;
}

UpdateReport TorchOptimizer::step(double learning_rate) {
  for (const auto& weight : weights_)  // a gradient that is refused must change no weight
    if (weight->tensor.grad().defined())
      check_gradient(weight->parameter.name, weight->tensor.grad(), weight->tensor);
  begin(learning_rate);
  for (size_t i = 0; i < weights_.size(); ++i)
    if (weights_[i]->tensor.grad().defined()) add(i, weights_[i]->tensor.grad(), /*last=*/false);
  return finish();
}

}  // namespace galore
