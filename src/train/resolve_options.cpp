// Resolves the options of a run: names of other programs become ours, settings are derived from others, and
// combinations that cannot work are refused.
#include <cmath>
#include <filesystem>

#include "adapters/adapter_kind.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "core/memory.h"
#include "data/mixture_options.h"
#include "kernels/device.h"
#include "mixtures/learning_options.h"
#include "models/architecture.h"
#include "optim/presets.h"
#include "optim/weight_overrides.h"
#include "tasks/task.h"
#include "tokenizer/text_encoding.h"
#include "train/distribution.h"
#include "train/foreign_options.h"
#include "train/inputs.h"
#include "train/run_builder.h"

namespace galore {
namespace {

void check_losses(const TrainOptions& o) {
  noise_alpha_of(o);
  const bool predicts_tokens = o.task == "causal_lm";
  const auto refuse = [&](bool given, const char* name) {
    if (given && !predicts_tokens)
      fail_usage(name, "expected 0 for the task {}, which predicts no tokens", o.task);
  };
  refuse(o.label_smoothing_factor > 0, "label_smoothing_factor");
  refuse(o.z_loss > 0, "z_loss");
  if (o.stage == "sft" && !predicts_tokens && o.task != "dpo")
    fail_usage("stage", "sft: expected task=causal_lm or dpo, given {}", o.task);
}

void check_evaluation(const TrainOptions& o) {
  if (!find_metric(find_task(o.task, o.task_name), o.metric_for_best_model))
    fail_usage("metric_for_best_model", "expected a metric of the task {}, given '{}'", o.task,
               o.metric_for_best_model);
  const bool has_data = has_eval_data(o);
  if (!o.eval_file.empty() && o.val_size > 0)
    fail_usage("val_size", "expected eval_file or val_size, given both");
  if (!has_data && o.eval_strategy != "no")
    fail_usage("eval_strategy", "{}: expected eval_file or val_size, given neither", o.eval_strategy);
  if (!has_data && o.eval_on_start)
    fail_usage("eval_on_start", "expected eval_file or val_size, given neither");
  if (o.save_strategy == "best" && o.eval_strategy == "no")
    fail_usage("save_strategy", "best: expected evaluations during the run, given eval_strategy=no");
  if (!o.load_best_model_at_end || o.save_strategy == "best") return;
  // The best checkpoint can be loaded only if every evaluated step is saved.
  if (o.eval_strategy == "no" || o.save_strategy != o.eval_strategy)
    fail_usage(
        "load_best_model_at_end",
        "expected save_strategy=best, or the same eval_strategy and save_strategy, given '{}' and '{}'",
        o.eval_strategy, o.save_strategy);
  const double ratio = o.save_steps / o.eval_steps;
  if (o.save_strategy == "steps" && std::abs(ratio - std::round(ratio)) > 1e-9)
    fail_usage("load_best_model_at_end",
               "expected save_steps to be a multiple of eval_steps, given {} and {}", o.save_steps,
               o.eval_steps);
}

void check_early_stopping(const TrainOptions& o) {
  if (o.early_stopping_patience > 0 && o.eval_strategy == "no")
    fail_usage("early_stopping_patience", "expected evaluations during the run (eval_strategy), given none");
}

void check_streaming(const TrainOptions& o) {
  if (!o.streaming) return;
  if (o.train_sampling_strategy == "group_by_length")
    fail_usage("train_sampling_strategy",
               "group_by_length: expected streaming=false, so that lengths are known");
  if (o.max_steps < 0)
    fail_usage("max_steps",
               "expected a number with streaming=true: how many rows the files hold is not known");
  if (o.val_size > 0 && o.val_size != std::floor(o.val_size))
    fail_usage("val_size",
               "expected a number of rows with streaming=true, given {}: how many there are is not known",
               o.val_size);
}

void check_mixture(const TrainOptions& o) {
  if (o.mixture.empty()) {
    if (o.mixture_learning != "none")
      fail_usage("mixture_learning", "expected none without a mixture, given {}", o.mixture_learning);
    return;
  }
  if (!o.train_file.empty()) fail_usage("mixture", "expected train_file or a mixture, given both");
  const std::vector<MixtureItem> items = parse_mixture(o.mixture);
  std::vector<std::string> names;
  for (const MixtureItem& item : items) {
    names.push_back(item.name);
    if (o.streaming && item.max_epochs > 0)
      fail_usage("mixture", "{}: expected max_epochs=0 with streaming=true: the rows are not counted",
                 item.name);
  }
  const LearningOptions learning = parse_learning(o.mixture_learning, o.mixture_args);
  if (!learning.learns()) return;
  if (items.size() < 2)
    fail_usage("mixture_learning", "expected two or more sources, given {}", items.size());
  if (o.streaming)
    fail_usage("mixture_learning", "expected streaming=false: rows of the sources are drawn at random");
  if (find_task(o.task, o.task_name).draws())
    fail_usage("mixture_learning", "expected none for the task {}, whose targets are drawn", o.task);
  target_weights(learning.target, names);
}

// Refuses a number of updates above 1 that is not whole; below 1 it is a share of all updates.
void check_steps(const char* name, double steps) {
  if (steps >= 1 && steps != std::floor(steps))
    fail_usage(name, "expected a whole number or a share below 1, given {}", steps);
}

void check_targets(const TrainOptions& o) {
  const bool takes_rewards = o.task == "value" || o.task == "q_value";
  if (o.has_target_network() && !takes_rewards)
    fail_usage("target_network", "expected none unless task is value or q_value, given {} with task={}",
               o.target_network, o.task);
  if (o.has_target_network() && o.mixture_learning != "none")
    fail_usage("target_network", "expected none with mixture_learning, given {}", o.target_network);
  if (o.td_steps > 0 && !o.has_target_network())
    fail_usage("td_steps", "expected 0 without target_network, given {}", o.td_steps);
  if (o.cql_alpha > 0 && o.task != "q_value")
    fail_usage("cql_alpha", "expected 0 unless task=q_value, given {}", o.cql_alpha);
}

void check_combinations(const TrainOptions& o) {
  const int sources = !o.model_name_or_path.empty() + !o.model_size.empty() + !o.config_name.empty();
  if (sources != 1)
    fail_usage("model", "expected exactly one of model_name_or_path, model_size and config_name, given {}",
               sources);
  if (o.compute_dtype == "bfloat16" && dtype_from_name(o.dtype) != at::kBFloat16)
    fail_usage("compute_dtype", "bfloat16 needs bf16 weights, given dtype={}", o.dtype);
  for (const std::string& target : o.report_to) {
    if (target != "none" && target != "tensorboard" && target != "jsonl" && target != "csv" &&
        target != "all")
      fail_usage("report_to", "expected none, tensorboard, jsonl, csv or all, given '{}'", target);
    if (target == "none" && o.report_to.size() > 1)
      fail_usage("report_to", "expected none alone, given others with it");
  }
  const bool layerwise = o.optimizer.layerwise || o.optimizer.settings->layerwise;
  if (o.spike_threshold > 0 && layerwise)
    fail_usage("spike_threshold",
               "layer-wise mode writes weights before the loss of an update is judged: expected 0");
  // The schedule refuses its arguments here, before the data are read.
  ScheduleOptions schedule = o;
  schedule.warmup_steps = 0;  // a share of max_steps, which may not be known yet
  [[maybe_unused]] const Schedule checked(schedule);
  parse_bytes("memory", "memory_limit", o.memory_limit);
  if (o.auto_find_batch_size && o.optimizer.gradient == "projected" &&
      o.optimizer.basis_gradient == "first_micro_batch")
    fail_usage("auto_find_batch_size",
               "expected basis_gradient=update: with first_micro_batch the micro-batches decide the bases");
  check_steps("warmup_steps", o.warmup_steps);
  check_steps("eval_steps", o.eval_steps);
  check_steps("save_steps", o.save_steps);
  check_steps("logging_steps", o.logging_steps);
  check_losses(o);
  check_evaluation(o);
  check_early_stopping(o);
  check_streaming(o);
  check_mixture(o);
  check_targets(o);
}

// Notes options that are allowed but have no effect in this combination.
void note_idle(const TrainOptions& o, OptionTable& table, std::vector<std::string>& notes) {
  const auto note = [&](bool idle, const char* name, const char* reason) {
    if (idle) notes.push_back(fmt::format("{} has no effect: {}", name, reason));
  };
  const bool wide = dtype_from_name(o.dtype) != at::kBFloat16;
  const bool layerwise = o.optimizer.layerwise || o.optimizer.settings->layerwise;
  note(wide && o.optimizer.rounding == "stochastic", "bf16_rounding", "the weights are fp32");
  note(wide && o.optimizer.master_weights, "master_weights", "the weights are fp32");
  note(!wide && o.optimizer.master_weights && o.optimizer.rounding == "stochastic", "bf16_rounding",
       "master_weights keeps fp32 weights");
  note(!layerwise && table.was_set("layerwise_clipping"), "layerwise_clipping",
       "the whole model is updated at once");
  note(o.max_steps >= 0 && table.was_set("num_train_epochs"), "num_train_epochs", "max_steps decides");
  note(o.mixture.empty() && table.was_set("mixture_temperature"), "mixture_temperature",
       "there is no mixture");
  note(!o.streaming && table.was_set("buffer_size"), "buffer_size", "all rows are shuffled");
  note(o.streaming && table.was_set("preprocessing_num_workers"), "preprocessing_num_workers",
       "with streaming dataloader_num_workers decides");
  note(o.early_stopping_patience == 0 && o.early_stopping_threshold > 0, "early_stopping_threshold",
       "early_stopping_patience is 0");
  note(o.save_strategy == "no" && o.save_total_limit > 0, "save_total_limit", "no checkpoints are saved");
}

void note_aliases(const OptionTable& table, std::vector<std::string>& notes) {
  for (const auto& option : table.options())
    if (option->was_set() && option->given_name() != option->name())
      notes.push_back(fmt::format("{} is taken as {}", option->given_name(), option->name()));
}

// axolotl also accepts bf16=auto and bf16=full. Its auto uses bf16 if the GPU can, and fp16 otherwise; we
// have no fp16. An explicit dtype takes precedence over auto.
void resolve_bf16(TrainOptions& o, OptionTable& table, std::vector<std::string>& notes) {
  if (o.bf16_word.empty()) return;
  o.bf16 = o.bf16_word == "full" || (!table.was_set("dtype") && has_fast_bf16(o.device));
  notes.push_back(fmt::format("bf16={} is taken as bf16={}", o.bf16_word, o.bf16));
  o.bf16_word.clear();
}

// Quantized matrices are not trained, so an adapter has to be, next to them.
void require_frozen_base(const TrainOptions& o) {
  if (o.quantization == "none") return;
  if (o.adapter.empty() || !adapter_kind(o.adapter).read)
    fail_usage("quantization",
               "expected none or an adapter next to frozen weights (lora, dora), given {} with {}; "
               "optim=q_galore_adamw_8bit trains weights in 8 bits",
               o.quantization, o.adapter.empty() ? "none" : o.adapter);
}

// Chooses the task and max_length by the model. Its configuration is read once, because that may compare
// large tables. If the options name no model or a missing one, the error comes when the model is needed.
void resolve_by_model(TrainOptions& o, OptionTable& table, std::vector<std::string>& notes) {
  const std::string& file = o.config_name.empty() ? o.model_name_or_path : o.config_name;
  const bool is_known = !o.model_size.empty() || std::filesystem::exists(file);
  const ModelConfig config = is_known ? model_config_of(static_cast<const ModelSource&>(o)) : ModelConfig();
  const bool has_weights = is_known && o.model_size.empty() && o.config_name.empty();
  if (!table.was_set("task") && (table.was_set("value_head") || table.was_set("value_head_args")))
    o.task = "value";
  else
    settle_task(o, has_weights ? config : ModelConfig(), table);
  if (is_known) fit_max_length(o, config, table.was_set("max_length"), notes);
}

}  // namespace

Option& declare_packing(OptionTable& table, DataOptions& options) {
  return table
      .add("packing", &options.packing,
           "join documents; isolated: whole ones share a row and see themselves alone; false: one a row")
      .words({"isolated"}, &options.packing_word);
}

void declare_format(OptionTable& table, DataOptions& options) {
  table.add("document_mode", &options.document_mode, "the unit of a .txt file that is one document")
      .choices({"paragraph", "line", "file"});
  table.add("append_eos", &options.append_eos,
            "end each document of text, and with packing each row of input_ids without labels, with eos");
  table.add("encoding", &options.encoding, "encoding of .txt and .jsonl files")
      .choices(text_encoding_names());
  table
      .add(
          "token_dtype", &options.token_dtype,
          "width of the ids in a .bin file without llm.c's header; auto: uint16, unless the file contradicts")
      .choices({"auto", "uint16", "uint32"});
}

void fit_max_length(DataOptions& options, const ModelConfig& config, bool given,
                    std::vector<std::string>& notes) {
  const auto learned = learned_positions(config);
  const int64_t positions = learned.value_or(config.max_position_embeddings);
  if (options.max_length <= positions) return;
  if (!given) {
    options.max_length = positions;
    notes.push_back(fmt::format("max_length is {}, which is all positions of the model", positions));
  } else if (learned) {
    fail_usage("max_length",
               "expected at most {}, the model's learned positions (max_position_embeddings), given {}",
               positions, options.max_length);
  }
}

void settle_task(TaskOptions& task, const ModelConfig& config, OptionTable& table) {
  if (table.was_set("task")) return;
  if (table.was_set("task_name"))
    task.task = "sequence_classification";
  else
    task.task = task_of(config.head);
}

std::vector<std::string> resolve(TrainOptions& options, OptionTable& table) {
  std::vector<std::string> notes;
  note_aliases(table, notes);
  resolve_bf16(options, table, notes);
  const bool wide = dtype_from_name(options.dtype) != at::kBFloat16;
  if (options.bf16 && wide && table.was_set("dtype"))
    fail_usage("bf16", "expected dtype=bfloat16 or none, given dtype={}", options.dtype);
  if (options.bf16) options.dtype = "bfloat16";
  options.dtype = dtype_name(dtype_from_name(options.dtype));
  resolve_adapter(options, notes);
  resolve_base_model(options);
  resolve_quantization(options, notes);
  require_frozen_base(options);
  resolve_by_model(options, table, notes);
  share_micro_batches(options, notes);
  resolve_foreign(options, table, notes);
  resolve_groups(options, notes);
  options.instruction_rows = options.stage == "sft";
  if (options.data_seed < 0) options.data_seed = options.seed;
  options.optimizer.seed = static_cast<uint64_t>(options.seed);
  options.optimizer.may_discard = options.spike_threshold > 0;
  choose_owners(options);
  options.optimizer.settings =
      resolve_optimizer(options.optim, options.optim_args, given_adam_settings(table));
  options.optimizer.overrides =
      parse_overrides(options.optim, options.optim_args, given_adam_settings(table), options.optim_overrides);
  if (options.optimizer.settings->learning_rate >= 0)
    options.learning_rate = options.optimizer.settings->learning_rate;
  if (options.eval_strategy == "auto") options.eval_strategy = options.eval_steps > 0 ? "steps" : "no";
  const char* unsaved = options.load_best_model_at_end ? "best" : "no";
  if (options.save_strategy == "auto") options.save_strategy = options.save_steps > 0 ? "steps" : unsaved;
  if (options.eval_strategy == "steps" && options.eval_steps == 0) options.eval_steps = 500;
  if (options.save_strategy == "steps" && options.save_steps == 0) options.save_steps = 500;
  options.optimizer.tokens_per_update =
      options.per_device_train_batch_size * options.gradient_accumulation_steps * options.max_length;
  check_combinations(options);
  note_idle(options, table, notes);
  return notes;
}

}  // namespace galore
