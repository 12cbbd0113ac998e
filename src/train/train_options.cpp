#include "train/train_options.h"

#include <limits>

#include "core/options.h"
#include "models/model_config.h"
#include "tasks/task.h"
#include "train/foreign_options.h"

namespace galore {
namespace {

constexpr double kMost = std::numeric_limits<double>::infinity();

void declare_model(OptionTable& table, ModelSource& o, TaskOptions& task) {
  table.group("Model");
  table.add("model_name_or_path", &o.model_name_or_path, "Hugging Face directory to continue from")
      .alias("base_model");
  table.add("model_size", &o.model_size, "train from scratch at a size of the GaLore paper")
      .choices(model_size_names());
  table.add("config_name", &o.config_name, "train from scratch by a config.json").alias("model_config");
  table.add("tokenizer_name", &o.tokenizer_name, "tokenizer directory or file; default: the model's");
  table.add("stage", &task.stage, "pre-training or fine-tuning").choices({"pt"});
  table.add("task", &task.task, "what is trained").choices(task_names());
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

void declare_data(OptionTable& table, DataOptions& o) {
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

void declare_optimizer(OptionTable& table, OptimizerChoice& o) {
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

void declare_events(OptionTable& table, EventOptions& o) {
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
  table.add("metric_for_best_model", &o.metric_for_best_model, "smaller is better").choices(metric_choices());
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

void declare_machine(OptionTable& table, MachineOptions& o) {
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

}  // namespace

void declare_options(OptionTable& table, TrainOptions& options) {
  declare_model(table, options, options);
  declare_data(table, options);
  declare_training(table, options);
  declare_optimizer(table, options);
  declare_events(table, options);
  declare_machine(table, options);
  declare_options(table, options.foreign);
}

std::vector<std::pair<std::string, std::string>> given_adam_settings(OptionTable& table) {
  std::vector<std::pair<std::string, std::string>> given;
  for (const char* name : {"adam_beta1", "adam_beta2", "adam_epsilon"})
    if (table.was_set(name)) given.emplace_back(name, table.find(name)->text());
  return given;
}

std::vector<std::pair<std::string, std::string>> configuration_of(const TrainOptions& options) {
  TrainOptions copy = options;
  OptionTable table;
  declare_options(table, copy);
  return table.resolved();
}

}  // namespace galore
