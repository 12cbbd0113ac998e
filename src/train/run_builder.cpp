#include "train/run_builder.h"

#include "checkpoint/hugging_face.h"
#include "core/dtypes.h"
#include "kernels/device.h"
#include "optim/quantized_weights.h"

namespace galore {

ModelConfig model_config_of(const ModelSource& source) {
  if (!source.model_size.empty()) return model_config_for_size(source.model_size);
  return read_model_config(source.config_name.empty() ? source.model_name_or_path : source.config_name);
}

ModelOptions model_options(const ModelSource& source, const std::string& device,
                           const OptimizerOptions& optimizer) {
  ModelOptions model;
  model.weights_dtype = dtype_from_name(source.dtype);
  model.gradient_checkpointing = source.gradient_checkpointing;
  const bool narrow = model.weights_dtype == at::kBFloat16;
  const bool wanted =
      source.compute_dtype == "bfloat16" || (source.compute_dtype == "auto" && has_fast_bf16(device));
  model.compute_dtype = narrow && wanted ? at::kBFloat16 : at::kFloat;
  if (quantizes_weights(optimizer))
    model.quantization = [optimizer](const Parameter& matrix) { return weight_format(optimizer, matrix); };
  return model;
}

ModelOptions model_options(const TrainOptions& options) {
  return model_options(options, options.device, options.optimizer);
}

RunObjects build_model(const ModelConfig& config, const ModelOptions& options, at::Device device,
                       const MakeModel& make_model) {
  RunObjects run;
  run.ledger = std::make_unique<Ledger>(device);
  run.model = make_model(config, options, *run.ledger);
  return run;
}

void set_weights(CausalLM& model, const ModelSource& source, int64_t seed) {
  if (source.model_name_or_path.empty())
    model.initialize(static_cast<uint64_t>(seed));
  else
    load_weights(source.model_name_or_path, model.parameters());
}

void add_optimizer(RunObjects& run, const OptimizerOptions& options) {
  run.workspace = std::make_unique<Workspace>(*run.ledger);
  run.optimizer = std::make_unique<Optimizer>(run.model->parameters(), options, *run.workspace);
}

}  // namespace galore
