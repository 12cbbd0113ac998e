#include "train/replay.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/weight_term.h"
#include "optim/foreign_names.h"
#include "optim/presets.h"
#include "optim/quantized_weights.h"

namespace galore {
namespace {

constexpr const char* kWeightsPrefix = "weights/";
constexpr const char* kGradientsPrefix = "gradients/";

bool is_float(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kDouble || dtype == at::kBFloat16 || dtype == at::kHalf;
}

std::vector<std::unique_ptr<Parameter>> read_weights(const SafetensorsReader& trace) {
  std::vector<std::unique_ptr<Parameter>> parameters;
  for (const TensorInfo& info : trace.tensors()) {
    if (info.name.rfind(kWeightsPrefix, 0) != 0) continue;
    if (!is_float(info.dtype))
      fail("replay", "{}: {}: expected a float dtype", trace.path().string(), info.name);
    parameters.push_back(std::make_unique<Parameter>());
    parameters.back()->name = info.name.substr(std::string(kWeightsPrefix).size());
    parameters.back()->value = trace.read(info.name);
    parameters.back()->role = role_by_name(parameters.back()->name, parameters.back()->value.dim());
    parameters.back()->layer = layer_by_name(parameters.back()->name);
    if (info.dtype == at::kDouble) parameters.back()->value = parameters.back()->value.to(at::kFloat);
  }
  if (parameters.empty())
    fail("replay", "{}: expected tensors named weights/<name>, found none", trace.path().string());
  return parameters;
}

int64_t count_steps(const SafetensorsReader& trace, const std::string& name) {
  int64_t steps = 0;
  while (trace.find(fmt::format("{}{}/{}", kGradientsPrefix, steps, name))) ++steps;
  if (steps == 0) fail("replay", "{}: expected gradients/0/{}, found none", trace.path().string(), name);
  return steps;
}

at::Tensor read_gradient(const SafetensorsReader& trace, int64_t step, const Parameter& parameter) {
  const TensorInfo& info = trace.at(fmt::format("{}{}/{}", kGradientsPrefix, step, parameter.name));
  if (parameter.sizes() != at::IntArrayRef(info.shape))
    fail("replay", "{}: {}: its shape differs from that of weights/{}", trace.path().string(), info.name,
         parameter.name);
  at::Tensor gradient = at::empty(parameter.sizes(), at::kFloat);
  trace.read_into(info.name, gradient);
  return gradient;
}

}  // namespace

void declare_options(OptionTable& table, ReplayOptions& options) {
  table.group("Replay");
  table.add("input", &options.input, "trace with weights/<name> and gradients/<step>/<name> (.safetensors)");
  table.add("output", &options.output, "output file for weights/<step>/<name> (.safetensors)");
  table.add("optim", &options.optim, "optimizer; galore methods lists them");
  table.add("optim_args", &options.optim_args, "arguments of the optimizer, as k=v,k=v");
  table.add("learning_rate", &options.learning_rate, "learning rate of all steps").range(0, 1e9).alias("lr");
  table.add("adam_beta1", &options.adam_beta1, "decay of the first moment").range(0, 1);
  table.add("adam_beta2", &options.adam_beta2, "decay of the second moment").range(0, 1);
  table
      .add("adam_epsilon", &options.adam_epsilon,
           "added to the root of the second moment; default: the optimizer's own")
      .range(0, 1);
  declare_options(table, options.optimizer);
}

ReplayResult replay(const SafetensorsReader& trace, const ReplayOptions& options,
                    const std::vector<std::pair<std::string, std::string>>& adam) {
  const auto owned = read_weights(trace);
  ParameterList parameters;
  for (const auto& parameter : owned) parameters.push_back(parameter.get());
  const int64_t steps = count_steps(trace, parameters[0]->name);

  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  OptimizerOptions optimizer_options = options.optimizer;
  optimizer_options.settings = resolve_optimizer(options.optim, options.optim_args, adam);
  optimizer_options.decay_all = true;
  if (optimizer_options.target_modules.empty()) optimizer_options.target_modules = default_targets_by_name();
  std::map<std::string, at::ScalarType> dtypes;
  for (const Parameter* parameter : parameters) dtypes[parameter->name] = parameter->value.scalar_type();
  quantize_weights(parameters, optimizer_options, ledger);
  Optimizer optimizer(parameters, optimizer_options, workspace);
  const double own_rate = optimizer_options.settings->learning_rate;
  const double learning_rate = own_rate >= 0 ? own_rate : options.learning_rate;

  ReplayResult result;
  result.notices.push_back(optimizer.grouping().summary);
  for (int64_t step = 0; step < steps; ++step) {
    optimizer.begin_update(learning_rate, 1);
    for (Parameter* parameter : parameters) {
      parameter->sink->add(read_gradient(trace, step, *parameter));
      parameter->sink->use_done();
    }
    const UpdateReport report = optimizer.finish_update();
    result.notices.insert(result.notices.end(), report.notices.begin(), report.notices.end());
    for (const Parameter* parameter : parameters)
      result.weights.emplace_back(fmt::format("weights/{}/{}", step, parameter->name),
                                  effective_value(*parameter).to(dtypes.at(parameter->name)));
  }
  return result;
}

}  // namespace galore
