#include "train/run_builder.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "adapters/adapted_layers.h"
#include "checkpoint/hugging_face.h"
#include "checkpoint/layer_choice.h"
#include "checkpoint/peft_directory.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "core/options.h"
#include "kernels/device.h"
#include "optim/quantized_weights.h"
#include "tasks/task.h"
#include "train/inputs.h"

namespace galore {
namespace {

// Returns the parameters that the model has without its adapter.
ParameterList without_adapter(const ParameterList& parameters) {
  ParameterList own;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(own),
               [](const Parameter* parameter) { return parameter->role != Role::adapter; });
  return own;
}

ModelConfig stored_config(const ModelSource& source) {
  if (!source.model_size.empty()) return model_config_for_size(source.model_size);
  return read_model_config(source.config_name.empty() ? source.model_name_or_path : source.config_name);
}

int64_t resized_vocabulary(const ModelSource& source, int64_t vocab_size) {
  if (source.resize_vocab.empty()) return vocab_size;
  if (source.resize_vocab == "auto") {
    const auto tokenizer = tokenizer_of(source);
    if (!tokenizer) fail_usage("resize_vocab", "auto: expected a tokenizer (tokenizer_name), given none");
    return std::max(vocab_size, tokenizer->vocab_size());
  }
  const int64_t rows = parse_count("resize_vocab", "resize_vocab", source.resize_vocab);
  if (rows < vocab_size)
    fail_usage("resize_vocab", "expected auto or at least {}, the model's vocabulary, given {}", vocab_size,
               rows);
  return rows;
}

// Refuses layers that stand in place of the matrices in the folder.
void require_matrices(TrainableModel& model, const ModelSource& source) {
  const AdaptedLayers* adapted = model.adapted();
  if (!adapted || adapted->places().empty()) return;
  const std::string name = adapted->places().front() + ".weight";
  const ParameterList base = without_adapter(model.parameters());
  if (std::any_of(base.begin(), base.end(), [&](const Parameter* p) { return p->name == name; })) return;
  fail_usage("adapter",
             "the layers of {0} replace the matrices that {1} has: expected config_name=DIR for a model from "
             "scratch, or a folder that was trained with {0}; `galore compress` makes factors of matrices",
             source.adapter, source.model_name_or_path);
}

// Broken rows are left out or errors, as bad_rows says.
ReadRows rows_reader(const std::vector<std::string>& files, const Task& task, const TrainOptions& options) {
  const SkipTaskRow skip = options.bad_rows == "skip" ? [](const Error&) {} : SkipTaskRow();
  return [files, &task, skip](const TakeTaskRow& take) { visit_task_rows(files, task.layout(), take, skip); };
}

// A classifier without names of its classes gets those of its training rows.
void name_labels(HeadConfig& head, const Task& task, const TrainOptions& options) {
  const auto files = train_files(options);
  if (head.kind != HeadKind::classification || !head.label_names.empty() || files.empty()) return;
  head.label_names = task.new_head({head.num_labels, {}}, rows_reader(files, task, options)).label_names;
  if (static_cast<int64_t>(head.label_names.size()) > head.num_labels) head.label_names.clear();
}

}  // namespace

ModelConfig model_config_of(const ModelSource& source) {
  ModelConfig config = stored_config(source);
  config.vocab_size = resized_vocabulary(source, config.vocab_size);
  if (!source.adapter_name_or_path.empty())
    config.head = head_with_adapter(source.adapter_name_or_path, config.head);
  return config;
}

ModelConfig model_config_of(const TrainOptions& options) {
  ModelConfig config = model_config_of(static_cast<const ModelSource&>(options));
  const Task& task = find_task(options.task, options.task_name);
  const bool is_made_anew = config.head.predicts_tokens() || options.model_name_or_path.empty();
  if (task.fits(config.head)) {
    if (options.num_labels > 0 && config.head.num_outputs() != options.num_labels && !is_made_anew)
      fail_usage("num_labels", "expected {}, which the model's head has, given {}", config.head.num_outputs(),
                 options.num_labels);
    name_labels(config.head, task, options);
    return config;
  }
  if (!is_made_anew) require_head_for(task, config.head);
  NewHead wanted{options.num_labels, {}, !options.value_head.empty(), config.vocab_size};
  if (wanted.loss_is_given) wanted.value.loss = value_loss_from_name(options.value_head);
  OptionTable table;
  table.add("v_min", &wanted.value.v_min, "");
  table.add("v_max", &wanted.value.v_max, "");
  table.add("num_bins", &wanted.value.num_bins, "");
  table.add("sigma_ratio", &wanted.value.sigma_ratio, "");
  table.add("kappa", &wanted.value.kappa, "");
  table.set_list("value_head_args", options.value_head_args);
  check(wanted.value);
  const auto files = train_files(options);
  // A plan needs no rows if the number of classes is given.
  const bool needs_rows = !files.empty() || wanted.num_labels == 0;
  config.head = task.new_head(
      wanted, needs_rows ? rows_reader(files, task, options) : [](const TakeTaskRow&) {});
  return config;
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
  if (const auto format = base_format(source))
    model.quantization = [format](const Parameter&) { return format; };
  model.adapter = adapter_of(source);
  return model;
}

ModelOptions model_options(const TrainOptions& options) {
  ModelOptions model = model_options(options, options.device, options.optimizer);
  model.loss = preference_loss(options);
  model.loss.label_smoothing = options.label_smoothing_factor;
  model.loss.z_loss = options.z_loss;
  model.neftune_noise_alpha = noise_alpha_of(options);
  return model;
}

LossOptions preference_loss(const TaskOptions& options) {
  LossOptions loss;
  loss.preference = options.dpo_loss == "ipo" ? PreferenceLoss::ipo : PreferenceLoss::sigmoid;
  loss.beta = options.dpo_beta;
  return loss;
}

double noise_alpha_of(const LossChoice& options) {
  const std::string& text = options.neftune_noise_alpha;
  if (text.empty() || text == "none" || text == "null") return 0;
  char* end = nullptr;
  const double alpha = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(alpha >= 0) || alpha > 1e6)
    fail_usage("neftune_noise_alpha", "expected a number of at least 0, or none, given '{}'", text);
  return alpha;
}

RunObjects build_model(const ModelConfig& config, const ModelOptions& options, at::Device device,
                       const MakeModel& make_model) {
  RunObjects run;
  run.ledger = std::make_unique<Ledger>(device);
  run.model = make_model(config, options, *run.ledger);
  return run;
}

std::string set_weights(TrainableModel& model, const ModelSource& source, int64_t seed) {
  if (!source.model_name_or_path.empty() && read_layer_choice(source.model_name_or_path))
    return load_with_layers(source.model_name_or_path, model);
  std::string note;
  if (source.model_name_or_path.empty()) {
    model.initialize(static_cast<uint64_t>(seed));
  } else {
    require_matrices(model, source);
    // The folder may lack the head of a new task.
    if (model.config().head.kind != HeadKind::language) model.initialize_head(static_cast<uint64_t>(seed));
    note = load_weights(source.model_name_or_path, without_adapter(model.parameters()),
                        source.resize_vocab.empty() ? TableRows::as_stored : TableRows::add);
  }
  if (const AdaptedLayers* adapted = model.adapted()) adapted->initialize(static_cast<uint64_t>(seed));
  if (!source.adapter_name_or_path.empty()) load_adapter(source.adapter_name_or_path, model);
  return note;
}

void add_optimizer(RunObjects& run, const OptimizerOptions& given, double learning_rate,
                   Collective& collective) {
  OptimizerOptions options = given;
  if (const AdaptedLayers* adapted = run.model->adapted())
    options.learning_rate_factor = [&adapter = adapted->adapter(),
                                    learning_rate](const Parameter& parameter) {
      return adapter.learning_rate_factor(parameter, learning_rate);
    };
  run.workspace = std::make_unique<Workspace>(*run.ledger);
  run.optimizer = std::make_unique<Optimizer>(run.model->parameters(), options, *run.workspace, collective);
}

}  // namespace galore
