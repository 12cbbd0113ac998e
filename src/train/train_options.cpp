#include "train/train_options.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/dtypes.h"
#include "core/errors.h"
#include "core/memory.h"
#include "kernels/device.h"
#include "train/inputs.h"

namespace galore {
namespace {

constexpr double kMost = std::numeric_limits<double>::infinity();

void declare_model(OptionTable& table, TrainOptions& o) {
  table.group("Model");
  table.add("model_name_or_path", &o.model_name_or_path, "Hugging Face directory to continue from")
      .alias("base_model");
  table.add("model_size", &o.model_size, "train from scratch at a size of the GaLore paper")
      .choices(model_size_names());
  table.add("config_name", &o.config_name, "train from scratch by a config.json").alias("model_config");
  table.add("tokenizer_name", &o.tokenizer_name, "tokenizer directory or file; default: the model's");
  table.add("stage", &o.stage, "pre-training or fine-tuning").choices({"pt"});
  table.add("task", &o.task, "what is trained").choices({"causal_lm"});
  table.add("dtype", &o.dtype, "of the weights").choices({"float32", "bfloat16", "fp32", "bf16"});
  table
      .add("bf16", &o.bf16,
           "bf16 weights; same as dtype=bfloat16. auto: where the device multiplies bf16 fast; full: true")
      .words({"auto", "full"}, &o.bf16_word)
      .alias("pure_bf16")
      .alias("bfloat16");
  table
      .add("compute_dtype", &o.compute_dtype,
           "of activations and products; auto: bf16 where the processor is fast at it")
      .choices({"auto", "float32", "bfloat16"});
  table.add("gradient_checkpointing", &o.gradient_checkpointing, "recompute activations in the backward pass")
      .alias("activation_checkpointing");
}

void declare_data(OptionTable& table, TrainOptions& o) {
  table.group("Data");
  table.add("train_file", &o.train_file, ".txt, .jsonl, .parquet (if built in) or .bin, one or many, globs");
  table.add("eval_file", &o.eval_file, "the same for evaluation");
  table
      .add("max_length", &o.max_length,
           "tokens in a row; unset: 256, or the model's positions if it has fewer")
      .range(2, 1e9)
      .alias("cutoff_len")
      .alias("sequence_len")
      .alias("max_seq_len")
      .alias("max_seq_length");
  declare_packing(table, o).alias("sample_packing");
  table.add("document_mode", &o.document_mode, "what a document is in a .txt file")
      .choices({"paragraph", "line", "file"});
  table.add("bad_rows", &o.bad_rows, "broken .jsonl or .parquet rows stop the run, or are left out")
      .choices({"stop", "skip"});
  table.add("val_size", &o.val_size, "rows held out for evaluation: a count, or a share below 1")
      .range(0, kMost)
      .alias("val_set_size");
  table.add("max_samples", &o.max_samples, "documents used at most (of .bin files: rows); 0: all")
      .range(0, kMost);
  table.add("cache_dir", &o.cache_dir, "tokens are kept here; default: ~/.cache/galore")
      .alias("tokenized_path");
  table.add("streaming", &o.streaming,
            "read the files through in every epoch, without a cache; max_steps must be given");
  table.add("buffer_size", &o.buffer_size, "streaming: rows among which is shuffled, in memory")
      .range(1, 1e9);
  table
      .add("preprocessing_num_workers", &o.preprocessing_num_workers,
           "threads that tokenize a file for the cache; 0: as many as compute")
      .range(0, 256)
      .alias("dataset_processes")
      .alias("dataset_num_proc");
  table
      .add("dataloader_num_workers", &o.dataloader_num_workers,
           "threads that read (streaming: and tokenize) ahead of the training; 0: it does so itself")
      .range(0, 256);
  table.add("data_seed", &o.data_seed, "of the shuffling; -1: the seed").range(-1, 1e18);
}

void declare_training(OptionTable& table, TrainOptions& o) {
  table.group("Training");
  table.add("output_dir", &o.output_dir, "receives checkpoints, the model and the logs").alias("save_dir");
  table.add("overwrite_output_dir", &o.overwrite_output_dir,
            "remove the checkpoints of an earlier run in it");
  table.add("per_device_train_batch_size", &o.per_device_train_batch_size, "rows in a micro-batch")
      .range(1, 1e9)
      .alias("batch_size")
      .alias("micro_batch_size");
  table.add("per_device_eval_batch_size", &o.per_device_eval_batch_size, "rows in an evaluation batch")
      .range(1, 1e9);
  table.add("gradient_accumulation_steps", &o.gradient_accumulation_steps, "micro-batches in an update")
      .range(1, 1e9)
      .alias("gradient_accumulation");
  table.add(
      "auto_find_batch_size", &o.auto_find_batch_size,
      "fewer rows in more micro-batches, by plan, until the run fits the memory; an update keeps its rows");
  table.add("max_steps", &o.max_steps, "updates; -1: num_train_epochs decides")
      .range(-1, 1e15)
      .alias("num_training_steps");
  table.add("num_train_epochs", &o.num_train_epochs, "passes over the data")
      .range(0, 1e9)
      .alias("num_epochs");
  table.add("learning_rate", &o.learning_rate, "peak learning rate").range(0, 1e9).alias("lr");
  table.add("lr_scheduler_type", &o.lr_scheduler_type, "schedule of the learning rate")
      .choices(schedule_names())
      .alias("lr_scheduler")
      .alias("scheduler");
  table.add("lr_scheduler_kwargs", &o.lr_scheduler_kwargs, "its arguments, as k=v,k=v");
  table.add("warmup_steps", &o.warmup_steps, "updates of warm-up; below 1: a share of all").range(0, 1e15);
}

void declare_optimizer(OptionTable& table, TrainOptions& o) {
  table.group("Optimizer");
  table.add("optim", &o.optim, "optimizer; galore methods lists them").alias("optimizer");
  table.add("optim_args", &o.optim_args, "its arguments, as k=v,k=v; galore methods NAME lists them");
  table.add(
      "optim_overrides", &o.optim_overrides,
      "weights trained otherwise: pattern=NAME,rank=64,learning_rate_factor=0.5;pattern=...,optim=adamw");
  table.add("adam_beta1", &o.adam_beta1, "decay of the first moment").range(0, 1).alias("beta1");
  table.add("adam_beta2", &o.adam_beta2, "decay of the second moment").range(0, 1).alias("beta2");
  table.add("adam_epsilon", &o.adam_epsilon, "unset: the optimizer's own default").range(0, 1);
  declare_options(table, o.optimizer);
  table.add("nan_policy", &o.nan_policy, "a loss that is not finite stops the run or skips the update")
      .choices({"stop", "skip"});
  table
      .add("spike_threshold", &o.spike_threshold,
           "skip updates whose loss is this many standard deviations above the recent mean; 0: never")
      .range(0, 1e9);
}

void declare_events(OptionTable& table, TrainOptions& o) {
  table.group("Evaluation, saving, logging");
  table.add("eval_strategy", &o.eval_strategy, "auto: steps if eval_steps is given, else at the end")
      .choices({"auto", "no", "steps", "epoch"})
      .alias("evaluation_strategy");
  table.add("eval_steps", &o.eval_steps, "updates between evaluations; below 1: a share of all")
      .range(0, 1e15)
      .alias("eval_every");
  table.add("eval_on_start", &o.eval_on_start, "evaluate before the first update");
  table.add("eval_max_batches", &o.eval_max_batches, "evaluate at most this many batches; 0: all")
      .range(0, 1e15);
  table.add("save_strategy", &o.save_strategy, "auto: steps if save_steps is given, else only the last model")
      .choices({"auto", "no", "steps", "epoch", "best"});
  table.add("save_steps", &o.save_steps, "updates between checkpoints; below 1: a share of all")
      .range(0, 1e15)
      .alias("save_every");
  table.add("save_total_limit", &o.save_total_limit, "checkpoints kept; 0: all").range(0, 1e9);
  table.add("save_only_model", &o.save_only_model, "checkpoints without optimizer state cannot be resumed");
  table.add("load_best_model_at_end", &o.load_best_model_at_end, "the last model is the best checkpoint");
  table.add("metric_for_best_model", &o.metric_for_best_model, "smaller is better")
      .choices({"eval_loss", "loss", "perplexity"});
  table
      .add("resume_from_checkpoint", &o.resume_from_checkpoint,
           "a checkpoint, true (the latest must exist) or auto (if there is one)")
      .alias("continue_from");
  table.add("logging_steps", &o.logging_steps, "updates between log lines; below 1: a share of all")
      .range(0, 1e15);
  table.add("logging_first_step", &o.logging_first_step, "log the first update too");
  table.add("report_to", &o.report_to, "none, tensorboard, jsonl, csv, all");
  table.add("run_name", &o.run_name, "stands in the logs").alias("name");
  table.add("disable_tqdm", &o.disable_tqdm, "no progress bar");
}

void declare_machine(OptionTable& table, TrainOptions& o) {
  table.group("Machine");
  table.add("device", &o.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &o.threads, "0: all processors").range(0, 4096);
  table.add("seed", &o.seed, "of initialization, shuffling, subspaces and rounding").range(0, 1e18);
  table.add("full_determinism", &o.full_determinism,
            "the processor's results always are; on a GPU slower kernels");
  table.add("memory_limit", &o.memory_limit,
            "bytes that the run may need, such as 22GiB; 0: what the system or the device has");
  table.add("memory_check", &o.memory_check, "refuse a run whose plan does not fit the memory");
}

void check_evaluation(const TrainOptions& o) {
  const bool has_data = !o.eval_file.empty() || o.val_size > 0;
  if (!o.eval_file.empty() && o.val_size > 0)
    fail_usage("val_size", "expected eval_file or val_size, given both");
  if (!has_data && o.eval_strategy != "no")
    fail_usage("eval_strategy", "{}: expected eval_file or val_size, given neither", o.eval_strategy);
  if (!has_data && o.eval_on_start)
    fail_usage("eval_on_start", "expected eval_file or val_size, given neither");
  if (o.save_strategy == "best" && o.eval_strategy == "no")
    fail_usage("save_strategy", "best: expected evaluations during the run, given eval_strategy=no");
  if (!o.load_best_model_at_end || o.save_strategy == "best") return;
  // The best of the checkpoints that were evaluated can only be loaded if the evaluated ones are saved.
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

void check_streaming(const TrainOptions& o) {
  if (!o.streaming) return;
  if (o.max_steps < 0)
    fail_usage("max_steps",
               "expected a number with streaming=true: how many rows the files hold is not known");
  if (o.val_size > 0 && o.val_size != std::floor(o.val_size))
    fail_usage("val_size",
               "expected a number of rows with streaming=true, given {}: how many there are is not known",
               o.val_size);
}

// Either a whole number or a share of all updates.
void check_steps(const char* name, double steps) {
  if (steps >= 1 && steps != std::floor(steps))
    fail_usage(name, "expected a whole number or a share below 1, given {}", steps);
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
  const bool layerwise = o.optimizer.layerwise || o.optimizer.settings.layerwise;
  if (o.spike_threshold > 0 && layerwise)
    fail_usage("spike_threshold",
               "layer-wise mode writes weights before the loss of an update is judged: expected 0");
  // Refuses its arguments now, not when the data have been read.
  [[maybe_unused]] const Schedule checked(
      {o.lr_scheduler_type, o.lr_scheduler_kwargs, o.learning_rate, 0, 1});
  parse_bytes("memory", "memory_limit", o.memory_limit);
  if (o.auto_find_batch_size && o.optimizer.gradient == "projected" &&
      o.optimizer.basis_gradient == "first_micro_batch")
    fail_usage("auto_find_batch_size",
               "expected basis_gradient=update: with first_micro_batch the micro-batches decide the bases");
  check_steps("warmup_steps", o.warmup_steps);
  check_steps("eval_steps", o.eval_steps);
  check_steps("save_steps", o.save_steps);
  check_steps("logging_steps", o.logging_steps);
  check_evaluation(o);
  check_streaming(o);
}

// What is allowed and does nothing here is said.
void note_idle(const TrainOptions& o, OptionTable& table, std::vector<std::string>& notes) {
  const auto note = [&](bool idle, const char* name, const char* reason) {
    if (idle) notes.push_back(fmt::format("{} has no effect: {}", name, reason));
  };
  const bool wide = dtype_from_name(o.dtype) != at::kBFloat16;
  const bool layerwise = o.optimizer.layerwise || o.optimizer.settings.layerwise;
  note(wide && o.optimizer.rounding == "stochastic", "bf16_rounding", "the weights are fp32");
  note(wide && o.optimizer.master_weights, "master_weights", "the weights are fp32");
  note(!wide && o.optimizer.master_weights && o.optimizer.rounding == "stochastic", "bf16_rounding",
       "master_weights keeps fp32 weights");
  note(!layerwise && table.was_set("layerwise_clipping"), "layerwise_clipping",
       "the whole model is updated at once");
  note(o.max_steps >= 0 && table.was_set("num_train_epochs"), "num_train_epochs", "max_steps decides");
  note(!o.streaming && table.was_set("buffer_size"), "buffer_size", "all rows are shuffled");
  note(o.streaming && table.was_set("preprocessing_num_workers"), "preprocessing_num_workers",
       "with streaming dataloader_num_workers decides");
  note(o.save_strategy == "no" && o.save_total_limit > 0, "save_total_limit", "no checkpoints are saved");
}

void note_aliases(const OptionTable& table, std::vector<std::string>& notes) {
  for (const auto& option : table.options())
    if (option->was_set() && option->given_name() != option->name())
      notes.push_back(fmt::format("{} is taken as {}", option->given_name(), option->name()));
}

// axolotl's words. Its auto asks whether the GPU can compute in bf16 and takes fp16 where not, which is not
// here. A dtype that is given goes before auto.
void resolve_bf16(TrainOptions& o, OptionTable& table, std::vector<std::string>& notes) {
  if (o.bf16_word.empty()) return;
  o.bf16 = o.bf16_word == "full" || (!table.was_set("dtype") && has_fast_bf16(o.device));
  notes.push_back(fmt::format("bf16={} is taken as bf16={}", o.bf16_word, o.bf16));
  o.bf16_word.clear();
}

// Where the options name no model or one that is missing, the error comes when the model is needed.
void resolve_max_length(TrainOptions& o, OptionTable& table, std::vector<std::string>& notes) {
  const std::string& file = o.config_name.empty() ? o.model_name_or_path : o.config_name;
  if (o.model_size.empty() && !std::filesystem::exists(file)) return;
  fit_max_length(o, model_config_of(o), table.was_set("max_length"), notes);
}

}  // namespace

void declare_options(OptionTable& table, TrainOptions& options) {
  declare_model(table, options);
  declare_data(table, options);
  declare_training(table, options);
  declare_optimizer(table, options);
  declare_events(table, options);
  declare_machine(table, options);
  declare_options(table, options.foreign);
}

Option& declare_packing(OptionTable& table, TrainOptions& options) {
  return table
      .add("packing", &options.packing,
           "join documents; isolated: whole ones share a row and see themselves alone; false: one a row")
      .words({"isolated"}, &options.packing_word);
}

void fit_max_length(TrainOptions& options, const ModelConfig& config, bool given,
                    std::vector<std::string>& notes) {
  const int64_t positions = config.max_position_embeddings;
  if (options.max_length <= positions) return;
  if (!given) {
    options.max_length = positions;
    notes.push_back(fmt::format("max_length is {}, which is all positions of the model", positions));
  } else if (has_learned_positions(config)) {
    fail_usage("max_length",
               "expected at most {}, the model's learned positions (max_position_embeddings), given {}",
               positions, options.max_length);
  }
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
  resolve_max_length(options, table, notes);
  resolve_foreign(options, table, notes);
  if (options.data_seed < 0) options.data_seed = options.seed;
  options.optimizer.seed = static_cast<uint64_t>(options.seed);
  options.optimizer.may_discard = options.spike_threshold > 0;
  options.optimizer.settings =
      resolve_optimizer(options.optim, options.optim_args, given_adam_settings(table));
  options.optimizer.overrides =
      parse_overrides(options.optim, options.optim_args, given_adam_settings(table), options.optim_overrides);
  if (options.optimizer.settings.learning_rate >= 0)
    options.learning_rate = options.optimizer.settings.learning_rate;
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

std::vector<std::pair<std::string, std::string>> given_adam_settings(OptionTable& table) {
  std::vector<std::pair<std::string, std::string>> given;
  for (const char* name : {"adam_beta1", "adam_beta2", "adam_epsilon"})
    if (table.was_set(name)) given.emplace_back(name, table.find(name)->text());
  return given;
}

ModelOptions model_options(const TrainOptions& options) {
  ModelOptions model;
  model.weights_dtype = dtype_from_name(options.dtype);
  model.gradient_checkpointing = options.gradient_checkpointing;
  const bool narrow = model.weights_dtype == at::kBFloat16;
  const bool wanted = options.compute_dtype == "bfloat16" ||
                      (options.compute_dtype == "auto" && has_fast_bf16(options.device));
  model.compute_dtype = narrow && wanted ? at::kBFloat16 : at::kFloat;
  if (codes_weights(options.optimizer))
    model.coding = [optimizer = options.optimizer](const std::string& name) {
      return weight_format(optimizer, name);
    };
  return model;
}

}  // namespace galore
