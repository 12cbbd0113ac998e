#include "train/train_options.h"

#include <limits>

#include "core/options.h"
#include "models/model_config.h"
#include "tasks/task.h"
#include "train/foreign_options.h"

namespace galore {
namespace {

constexpr double kMost = std::numeric_limits<double>::infinity();

void declare_heads(OptionTable& table, TaskOptions& o) {
  table.add("num_labels", &o.num_labels, "classes of a new head, 1: regression; 0: as many as the rows have")
      .range(0, 1e6);
  table.add("value_head", &o.value_head, "loss of a new value head").choices(value_loss_names());
  table.add("value_head_args", &o.value_head_args,
            "support of a new value head: v_min=-10,v_max=10,num_bins=51,sigma_ratio=0.75");
}

void declare_model(OptionTable& table, ModelSource& o, TaskOptions& task) {
  table.group("Model");
  table.add("model_name_or_path", &o.model_name_or_path, "Hugging Face directory to continue training from")
      .alias("base_model");
  table.add("model_size", &o.model_size, "train from scratch: a model size of the GaLore paper")
      .choices(model_size_names());
  table.add("config_name", &o.config_name, "train from scratch: a config.json or its directory")
      .alias("model_config");
  table.add("tokenizer_name", &o.tokenizer_name, "tokenizer directory or file; default: the model's");
  table.add(
      "resize_vocab", &o.resize_vocab,
      "rows of the embedding and the head: auto adds those that the tokenizer's ids need, a number that "
      "many; new rows are the mean of the others");
  table.add("stage", &task.stage, "pt: pre-training and continued training").choices({"pt"});
  declare_task(table, task);
  declare_heads(table, task);
  table.add("dtype", &o.dtype, "number format of the weights")
      .choices({"float32", "bfloat16", "fp32", "bf16"})
      .alias("torch_dtype");
  table
      .add(
          "bf16", &o.bf16,
          "bf16 weights, as dtype=bfloat16; auto: if the device multiplies bf16 fast; full: the same as true")
      .words({"auto", "full"}, &o.bf16_word)
      .alias("pure_bf16")
      .alias("bfloat16");
  table
      .add("compute_dtype", &o.compute_dtype,
           "number format of activations and products; auto: bf16 if the device multiplies it fast")
      .choices({"auto", "float32", "bfloat16"});
  table.add("gradient_checkpointing", &o.gradient_checkpointing, "recompute activations in the backward pass")
      .alias("activation_checkpointing");
}

void declare_reading(OptionTable& table, DataOptions& o) {
  table.add("streaming", &o.streaming,
            "read the files anew in each epoch instead of caching their tokens; needs max_steps");
  table
      .add("buffer_size", &o.buffer_size,
           "streaming: number of rows in memory from which the next one is drawn")
      .range(1, 1e9);
  table
      .add("preprocessing_num_workers", &o.preprocessing_num_workers,
           "number of threads that tokenize a file for the cache; 0: as many as compute")
      .range(0, 256)
      .alias("dataset_processes")
      .alias("dataset_num_proc");
  table
      .add("dataloader_num_workers", &o.dataloader_num_workers,
           "number of threads that read ahead (streaming: and tokenize); 0: the training thread reads")
      .range(0, 256);
  table.add("data_seed", &o.data_seed, "seed of the shuffling; -1: the value of seed").range(-1, 1e18);
}

void declare_data(OptionTable& table, DataOptions& o) {
  table.group("Data");
  table.add("train_file", &o.train_file, ".txt, .jsonl, .parquet (if built in) or .bin, one or many, globs")
      .alias("train_data_file");
  table.add("eval_file", &o.eval_file, "files for evaluation, in the same formats")
      .alias("validation_file")
      .alias("eval_data_file");
  table
      .add("max_length", &o.max_length,
           "tokens in a row; unset: 256, or the model's positions if it has fewer")
      .range(2, 1e9)
      .alias("cutoff_len")
      .alias("sequence_len")
      .alias("max_seq_len")
      .alias("max_seq_length")
      .alias("block_size");
  declare_packing(table, o).alias("sample_packing");
  declare_format(table, o);
  table.add("bad_rows", &o.bad_rows, "stop the run at a broken row or text that is not UTF-8, or skip it")
      .choices({"stop", "skip"});
  table.add("val_size", &o.val_size, "number of rows held out for evaluation; below 1: a share of all rows")
      .range(0, kMost)
      .alias("val_set_size");
  table
      .add("max_samples", &o.max_samples,
           "largest number of documents (in .bin files: rows) that are used; 0: all")
      .range(0, kMost)
      .alias("max_train_samples");
  table.add("cache_dir", &o.cache_dir, "folder that keeps tokens; default: ~/.cache/galore")
      .alias("tokenized_path");
  declare_reading(table, o);
}

void declare_training(OptionTable& table, TrainOptions& o) {
  table.group("Training");
  table.add("output_dir", &o.output_dir, "folder for checkpoints, the final model and the logs")
      .alias("save_dir");
  table.add("overwrite_output_dir", &o.overwrite_output_dir,
            "remove checkpoints of an earlier run in output_dir");
  table.add("per_device_train_batch_size", &o.per_device_train_batch_size, "rows in a micro-batch")
      .range(1, 1e9)
      .alias("batch_size")
      .alias("micro_batch_size")
      .alias("per_gpu_train_batch_size");
  table.add("per_device_eval_batch_size", &o.per_device_eval_batch_size, "rows in an evaluation batch")
      .range(1, 1e9)
      .alias("per_gpu_eval_batch_size");
  table.add("gradient_accumulation_steps", &o.gradient_accumulation_steps, "micro-batches in an update")
      .range(1, 1e9)
      .alias("gradient_accumulation");
  table.add("auto_find_batch_size", &o.auto_find_batch_size,
            "use fewer rows in more micro-batches until the plan fits the memory; the rows of an update stay "
            "the same");
  table.add("max_steps", &o.max_steps, "number of updates; -1: num_train_epochs decides")
      .range(-1, 1e15)
      .alias("num_training_steps");
  table.add("num_train_epochs", &o.num_train_epochs, "number of passes over the data")
      .range(0, 1e9)
      .alias("num_epochs");
  table.add("learning_rate", &o.learning_rate, "peak learning rate").range(0, 1e9).alias("lr");
  table.add("lr_scheduler_type", &o.lr_scheduler_type, "schedule of the learning rate")
      .choices(schedule_names())
      .alias("lr_scheduler")
      .alias("scheduler");
  table.add("lr_scheduler_kwargs", &o.lr_scheduler_kwargs, "arguments of the schedule, as k=v,k=v");
  table.add("warmup_steps", &o.warmup_steps, "number of updates of warm-up; below 1: a share of all updates")
      .range(0, 1e15);
}

void declare_optimizer(OptionTable& table, OptimizerChoice& o) {
  table.group("Optimizer");
  table.add("optim", &o.optim, "optimizer; galore methods lists them").alias("optimizer");
  table.add("optim_args", &o.optim_args,
            "arguments of the optimizer, as k=v,k=v; galore methods NAME lists them");
  table.add("optim_overrides", &o.optim_overrides,
            "other settings for some weights: "
            "pattern=NAME,rank=64,learning_rate_factor=0.5;pattern=...,optim=adamw");
  table.add("adam_beta1", &o.adam_beta1, "decay of the first moment").range(0, 1).alias("beta1");
  table.add("adam_beta2", &o.adam_beta2, "decay of the second moment").range(0, 1).alias("beta2");
  table.add("adam_epsilon", &o.adam_epsilon, "added to the denominator; unset: the optimizer's own default")
      .range(0, 1);
  declare_options(table, o.optimizer);
  table.add("nan_policy", &o.nan_policy, "stop the run at a loss that is not finite, or skip the update")
      .choices({"stop", "skip"});
  table
      .add("spike_threshold", &o.spike_threshold,
           "skip an update if its loss is this many standard deviations above the recent mean; 0: never")
      .range(0, 1e9);
}

void declare_evaluation(OptionTable& table, EventOptions& o) {
  table
      .add("eval_strategy", &o.eval_strategy,
           "when to evaluate; auto: steps if eval_steps is given, otherwise only at the end")
      .choices({"auto", "no", "steps", "epoch"})
      .alias("evaluation_strategy");
  table
      .add("eval_steps", &o.eval_steps,
           "number of updates between evaluations; below 1: a share of all updates")
      .range(0, 1e15)
      .alias("eval_every");
  table.add("eval_on_start", &o.eval_on_start, "evaluate before the first update");
  table.add("eval_max_batches", &o.eval_max_batches, "largest number of batches in an evaluation; 0: all")
      .range(0, 1e15);
}

void declare_saving(OptionTable& table, EventOptions& o) {
  table
      .add("save_strategy", &o.save_strategy,
           "when to save; auto: steps if save_steps is given, otherwise only the final model")
      .choices({"auto", "no", "steps", "epoch", "best"});
  table
      .add("save_steps", &o.save_steps,
           "number of updates between checkpoints; below 1: a share of all updates")
      .range(0, 1e15)
      .alias("save_every");
  table.add("save_total_limit", &o.save_total_limit, "largest number of checkpoints that are kept; 0: all")
      .range(0, 1e9);
  table.add("save_only_model", &o.save_only_model,
            "save checkpoints without optimizer state; they cannot be resumed");
  table.add("load_best_model_at_end", &o.load_best_model_at_end,
            "write the best checkpoint as the final model");
  table.add("metric_for_best_model", &o.metric_for_best_model, "metric that chooses the best checkpoint")
      .choices(metric_choices());
  table
      .add("resume_from_checkpoint", &o.resume_from_checkpoint,
           "path of a checkpoint; true: the latest, which must exist; auto: the latest, if there is one")
      .alias("continue_from");
  table.add("ignore_data_changes", &o.ignore_data_changes,
            "resume although the data, the tokenizer or max_length changed, from the start of the epoch");
}

void declare_events(OptionTable& table, EventOptions& o) {
  table.group("Evaluation, saving, logging");
  declare_evaluation(table, o);
  declare_saving(table, o);
  table
      .add("logging_steps", &o.logging_steps,
           "number of updates between log lines; below 1: a share of all updates")
      .range(0, 1e15);
  table.add("logging_first_step", &o.logging_first_step, "log the first update as well");
  table.add("report_to", &o.report_to, "formats of the log: none, tensorboard, jsonl, csv, all");
  table.add("run_name", &o.run_name, "name of the run in logs and reports").alias("name");
  table.add("disable_tqdm", &o.disable_tqdm, "show no progress bar");
}

void declare_machine(OptionTable& table, MachineOptions& o) {
  table.group("Machine");
  table.add("device", &o.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &o.threads, "number of threads; 0: one for each processor").range(0, 4096);
  table.add("seed", &o.seed, "seed of initialization, shuffling, subspaces and rounding").range(0, 1e18);
  table.add(
      "full_determinism", &o.full_determinism,
      "use deterministic kernels on a GPU, which are slower; results on a CPU are always deterministic");
  table.add("memory_limit", &o.memory_limit,
            "largest memory of the run, such as 22GiB; 0: the memory that system or device has available");
  table.add("memory_check", &o.memory_check, "refuse a run whose plan does not fit the memory");
}

}  // namespace

void declare_task(OptionTable& table, TaskOptions& o) {
  table.add("task", &o.task, "what the model learns; unset: what its head was made for")
      .choices(task_names());
  table
      .add("task_name", &o.task_name, "sequence_classification: a task of GLUE, with its columns and metrics")
      .choices(task_variants());
}

void declare_options(OptionTable& table, TrainOptions& options) {
  declare_model(table, options, options);
  declare_options(table, static_cast<AdapterChoice&>(options));
  declare_data(table, options);
  declare_training(table, options);
  declare_optimizer(table, options);
  declare_events(table, options);
  declare_machine(table, options);
  declare_distribution(table, options);
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
