#include "train/train_options.h"

#include <limits>

#include "core/options.h"
#include "mixtures/learning_options.h"
#include "models/model_config.h"
#include "tasks/task.h"
#include "train/foreign_options.h"

namespace galore {
namespace {

constexpr double kMost = std::numeric_limits<double>::infinity();

void declare_targets(OptionTable& table, TargetOptions& o) {
  table
      .add("target_network", &o.target_network,
           "copy that values the next states of rewards: none (whole returns), head, or model (also its "
           "trunk)")
      .choices({"none", "head", "model"});
  table
      .add("target_update_interval", &o.target_update_interval,
           "number of updates between updates of the target network")
      .range(1, 1e15);
  table
      .add("target_tau", &o.target_tau,
           "share of the model in the target network after such an update; 1: a copy")
      .range(0, 1)
      .alias("tau");
  table.add("td_steps", &o.td_steps, "n of n-step returns; 0: lambda returns, with the lambda of each row")
      .range(0, 1e9);
  table
      .add("cql_alpha", &o.cql_alpha,
           "task=q_value: weight of the conservative term, the cross entropy of the actions taken")
      .range(0, 1e9);
}

void declare_heads(OptionTable& table, TaskOptions& o) {
  table.add("num_labels", &o.num_labels, "classes of a new head, 1: regression; 0: as many as the rows have")
      .range(0, 1e6);
  table
      .add("value_head", &o.value_head,
           "loss of a new value head; unset: hl_gauss, and bradley_terry for task=reward with pairs")
      .choices(value_loss_names());
  table.add("value_head_args", &o.value_head_args,
            "support of a new value head: v_min=-10,v_max=10,num_bins=51,sigma_ratio=0.75,kappa=1");
  declare_targets(table, o);
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
  declare_stage(table, task);
  declare_task(table, task);
  declare_heads(table, task);
  declare_preferences(table, task);
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
  declare_quantization(table, o);
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
  table
      .add("train_sampling_strategy", &o.train_sampling_strategy,
           "order of the training rows: random, sequential (as in the files), or group_by_length (random, "
           "with "
           "rows of similar length in a batch)")
      .choices({"random", "sequential", "group_by_length"});
  table.add("mlm_probability", &o.mlm_probability, "masked_lm: share of the tokens that are predicted")
      .range(0, 1);
}

void declare_mixture(OptionTable& table, DataOptions& o) {
  table.add(
      "mixture", &o.mixture,
      "sources instead of train_file, sampled by weight: name=a,files=a.txt,weight=2;name=b,files=b.txt; "
      "also eval_files and max_epochs");
  table
      .add("mixture_temperature", &o.mixture_temperature,
           "shares are raised to 1 / this; above 1, small sources gain; inf: all are equal")
      .range(1e-3, kMost);
  table
      .add("mixture_learning", &o.mixture_learning,
           "learn the weights of the mixture during training: gradient-alignment reward, DoGE or Aioli")
      .choices(learning_methods());
  table.add("mixture_args", &o.mixture_args,
            "arguments of the learning, as k=v,k=v: update_steps, rows, freeze, target, inner, ...");
}

void declare_data(OptionTable& table, DataOptions& o) {
  table.group("Data");
  table.add("train_file", &o.train_file, ".txt, .jsonl, .parquet (if built in) or .bin, one or many, globs")
      .alias("train_data_file");
  table.add("eval_file", &o.eval_file, "files for evaluation, in the same formats")
      .alias("validation_file")
      .alias("eval_data_file");
  declare_mixture(table, o);
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
  declare_chat(table, o);
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

void declare_loss(OptionTable& table, LossChoice& o) {
  table
      .add("label_smoothing_factor", &o.label_smoothing_factor,
           "share of the loss that is the mean cross entropy over all ids, in training")
      .range(0, 1);
  table
      .add("z_loss", &o.z_loss,
           "factor of the squared log of the softmax's denominator, added to the loss in training, such as "
           "1e-4")
      .range(0, 1e6);
  table.add("neftune_noise_alpha", &o.neftune_noise_alpha,
            "size of the noise on the embeddings in training (NEFTune), such as 5; none: no noise");
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
      .add("greater_is_better", &o.greater_is_better,
           "whether a larger metric_for_best_model is better; auto: the metric knows")
      .choices({"auto", "true", "false"});
  table
      .add("early_stopping_patience", &o.early_stopping_patience,
           "end the run after this many evaluations in a row without a better metric; 0: never")
      .range(0, 1e9);
  table
      .add("early_stopping_threshold", &o.early_stopping_threshold,
           "early stopping: by how much a metric must be better than the best one")
      .range(0, kMost);
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

void declare_preferences(OptionTable& table, TaskOptions& o) {
  table.add("dpo_beta", &o.dpo_beta, "task=dpo: strength of the pull towards the reference")
      .range(1e-6, 1e6)
      .alias("pref_beta")
      .alias("rl_beta");
  table.add("dpo_loss", &o.dpo_loss, "task=dpo: loss of a pair")
      .choices({"sigmoid", "ipo"})
      .alias("pref_loss");
  table.add("ref_model", &o.ref_model,
            "task=dpo: folder of the reference; unset: the model at the start, without its adapter");
}

void declare_stage(OptionTable& table, TaskOptions& task) {
  table
      .add("stage", &task.stage,
           "pt: pre-training and continued training; sft: rows are conversations, and the loss counts the "
           "assistant's tokens")
      .choices({"pt", "sft"});
}

void declare_chat_template(OptionTable& table, ChatOptions& o) {
  table.add("chat_template", &o.chat_template,
            "file of a chat template, or the name of one of the tokenizer's; unset: the tokenizer's");
  table.add("chat_template_kwargs", &o.chat_template_kwargs,
            "variables of the chat template, as a JSON object");
}

void declare_chat(OptionTable& table, ChatOptions& o) {
  declare_chat_template(table, o);
  table.add("train_on_inputs", &o.train_on_inputs, "stage=sft: the loss counts all tokens of a conversation")
      .alias("train_on_prompt");
}

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
  declare_loss(table, options);
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
