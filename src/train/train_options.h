// The options of `galore train`, in Hugging Face's names, declared once in train_options.cpp.
//
// Each part of a run has a section of options, and its functions take only that section. TrainOptions
// combines all sections, so option names are as flat as in the configuration file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "chat/chat_options.h"
#include "optim/optimizer_options.h"
#include "train/adapter_options.h"
#include "train/base_quantization.h"
#include "train/schedule.h"
#include "train/target_options.h"

namespace galore {

class Option;
class OptionTable;
struct ModelConfig;

// Options of the model: the sources of its configuration, weights and tokenizer, and its computation
// (run_builder.h).
struct ModelSource : AdapterChoice, BaseQuantization {
  std::string model_name_or_path, model_size, config_name, tokenizer_name;  // one of the first three is set
  std::string dtype = "float32";                                            // dtype of the weights
  bool bf16 = false;
  std::string bf16_word;  // auto or full, instead of true or false
  bool gradient_checkpointing = false;
  std::string compute_dtype = "auto";
  std::string resize_vocab;  // auto, a number of rows, or ""
};

// The task that the model learns (tasks/task.h).
struct TaskOptions : TargetOptions {
  std::string stage = "pt", task = "causal_lm";
  std::string task_name;                    // a task of GLUE
  int64_t num_labels = 0;                   // of a new classifier; 0: by the task or the rows
  std::string value_head, value_head_args;  // "": hl_gauss, or the task's choice
  // These options are for preferences (task=dpo).
  double dpo_beta = 0.1;
  std::string dpo_loss = "sigmoid";
  std::string ref_model;  // the reference; empty: the model at the start, without its adapter
};

// Options of the loss of tokens in training (heads/token_loss.h, nn/dropout.h).
struct LossChoice {
  double label_smoothing_factor = 0, z_loss = 0;
  std::string neftune_noise_alpha;  // a number, or none
};

// The shares of several processes in an update (distribution.h). The first three are no options: the launcher
// decides them. With several processes resolve() sets gradient_accumulation_steps to the micro-batches of all
// processes together and reduction_groups to a number, so that one process with these options has the same
// results.
struct SharingOptions {
  int64_t process = 0, processes = 1;
  int64_t local_processes = 1;     // on this machine
  int64_t kept_micro_batches = 0;  // of the resumed run; 0: the options decide
  std::string reduction_groups = "auto";
  std::string exchange_dtype = "float32";
};

// Options of rows and batches (inputs.h).
struct DataOptions : ChatOptions, SharingOptions {
  bool instruction_rows = false;  // stage=sft: rows are instruction data (chat/chat_rows.h)
  std::vector<std::string> train_file, eval_file;
  std::string mixture;  // the sources of a mixture (data/mixture_options.h), instead of train_file
  double mixture_temperature = 1;
  std::string mixture_learning = "none", mixture_args;  // mixtures/learning_options.h
  int64_t max_length = 256;
  bool packing = true;
  std::string packing_word;  // isolated, instead of true or false
  std::string document_mode = "paragraph", encoding = "utf-8", token_dtype = "auto";
  bool append_eos = true;
  std::string bad_rows = "stop";
  double val_size = 0;
  int64_t max_samples = 0;
  std::string cache_dir;
  bool streaming = false;
  int64_t buffer_size = 16384;
  int64_t preprocessing_num_workers = 0, dataloader_num_workers = 1;
  int64_t data_seed = -1;
  std::string train_sampling_strategy = "random";
  double mlm_probability = 0.15;
  int64_t per_device_train_batch_size = 8, per_device_eval_batch_size = 8, gradient_accumulation_steps = 1;
  bool auto_find_batch_size = false;
};

// Options of the optimizer: the names that users give, and the options that resolve() derives from them.
struct OptimizerChoice {
  std::string optim = "galore_adamw", optim_args, optim_overrides;
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  OptimizerOptions optimizer;
  std::string nan_policy = "stop";
  double spike_threshold = 0;
};

// Options of evaluations, checkpoints and logs.
struct EventOptions {
  std::string output_dir = "output";
  bool overwrite_output_dir = false;
  std::string eval_strategy = "auto", save_strategy = "auto";
  double eval_steps = 0, save_steps = 0, logging_steps = 10;
  bool logging_first_step = true, eval_on_start = false;
  int64_t eval_max_batches = 0;
  int64_t save_total_limit = 0;
  bool save_only_model = false, load_best_model_at_end = false;
  std::string metric_for_best_model = "eval_loss", greater_is_better = "auto", resume_from_checkpoint;
  int64_t early_stopping_patience = 0;
  double early_stopping_threshold = 0;
  bool ignore_data_changes = false;
  std::vector<std::string> report_to{"jsonl"};
  std::string run_name;
  bool disable_tqdm = false;
};

struct MachineOptions {
  int64_t seed = 42, threads = 0;
  std::string device = "auto";
  bool full_determinism = false;
  std::string memory_limit = "0";
  bool memory_check = true;
};

// Options of a run of several processes.
struct DistributionOptions {
  int64_t nproc_per_node = 0;
  std::string exchange_updates = "auto", dist_init, dist_interface;
  double heartbeat_timeout = 15, exchange_timeout = 1800, init_timeout = 60;
  bool log_all_ranks = false;
};

// Options of other programs that do not correspond to one of ours. resolve() translates them and notes it.
struct ForeignOptions {
  int64_t total_batch_size = 0, max_train_tokens = 0;
  double warmup_ratio = 0, min_lr_ratio = 0;
  bool use_galore = false, galore_layerwise = false, use_apollo = false, apollo_layerwise = false,
       use_badam = false;
  std::vector<std::string> galore_target, apollo_target;
  std::string rank, update_proj_gap, galore_scale, proj_type;  // as given; empty: not given
  std::string qgalore_proj_bits, qgalore_proj_group_size, qgalore_cos_threshold, qgalore_gamma_proj,
      qgalore_queue_size;
  bool qgalore_proj_quant = true;
  std::string apollo_scale, scale_type, scale_front, proj, switch_interval, weight_bits, weight_group_size,
      stochastic_round;
  bool group_by_length = false, disable_shuffling = false, curriculum_sampling = false;
  std::map<std::string, std::string> without_effect;  // foreign_keys.cpp
};

struct TrainOptions : ModelSource,
                      TaskOptions,
                      LossChoice,
                      DataOptions,
                      ScheduleOptions,
                      OptimizerChoice,
                      EventOptions,
                      MachineOptions,
                      DistributionOptions {
  ForeignOptions foreign;
};

void declare_options(OptionTable& table, TrainOptions& options);
// Declares the options of many processes (distribution.cpp).
void declare_distribution(OptionTable& table, TrainOptions& options);
// Call this after all sources were read. Derives the options that aliases set, checks combinations, and
// returns notes for the log.
std::vector<std::string> resolve(TrainOptions& options, OptionTable& table);
// Declares `task` and `task_name` for a command that reads data.
void declare_task(OptionTable& table, TaskOptions& options);
// Declares the options of preferences for a command that reads data.
void declare_preferences(OptionTable& table, TaskOptions& task);
// Declares the options that choose a chat template and its variables.
void declare_chat_template(OptionTable& table, ChatOptions& options);
// Declares the options of instruction data for a command that reads data.
void declare_chat(OptionTable& table, ChatOptions& options);
// Declares `stage`, and the options of the data for stage=sft.
void declare_stage(OptionTable& table, TaskOptions& task);
// Declares `packing` for a command that reads data.
Option& declare_packing(OptionTable& table, DataOptions& options);
// Unless the user names a task, chooses the one that the model's head was made for, or a classifier if
// task_name is given.
void settle_task(TaskOptions& task, const ModelConfig& config, OptionTable& table);
// Declares the options that say how files become documents.
void declare_format(OptionTable& table, DataOptions& options);
// Lowers max_length to the model's positions (max_position_embeddings) unless it is `given`, and notes it. A
// given length above a table of learned positions is a UsageError.
void fit_max_length(DataOptions& options, const ModelConfig& config, bool given,
                    std::vector<std::string>& notes);
// Returns name and text of every option in the order of declaration. This is the saved configuration of a
// run.
std::vector<std::pair<std::string, std::string>> configuration_of(const TrainOptions& options);

// Returns the Adam settings that the user gave, for resolve_optimizer().
std::vector<std::pair<std::string, std::string>> given_adam_settings(OptionTable& table);

}  // namespace galore
