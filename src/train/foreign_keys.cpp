// Keys of other programs' configurations that have no effect here, or that ask for a feature that we lack.
#include <algorithm>

#include "core/errors.h"
#include "train/foreign_options.h"

namespace galore {
namespace {

// A value in `idle` has no effect, for the reason `why`. Any other value is refused, naming `expected`. "*"
// stands for every value.
struct ForeignKey {
  const char* name;
  std::vector<std::string> idle;
  const char* why;
  const char* expected = "";
};

// Reasons that several keys share.
constexpr const char *kOwnExchange = "processes exchange gradients in our own way (docs/distributed.md)",
                     *kNoHub = "nothing is fetched from or sent to a hub", *kItIsOff = "it is off";

const std::vector<std::string> kOff{"false", "no", "off", "0", "none", "null"}, kAny{"*"};

const std::vector<ForeignKey> kForeignKeys{
    // LLaMA-Factory and Hugging Face
    {"do_train", {"true"}, "training is what this command does", "galore eval to evaluate alone"},
    {"do_eval", kAny, "eval_file or val_size decides"},
    {"trust_remote_code", kAny, "no code of a model is run"},
    {"overwrite_cache", kAny, "caches of tokens are named by their content"},
    {"plot_loss", kAny, "training_loss.svg is always drawn"},
    {"flash_attn", kAny, "attention is always computed in blocks"},
    {"include_num_input_tokens_seen", kAny, "tokens_seen is always logged"},
    {"save_safetensors", {"true"}, "safetensors is the only format", "true"},
    {"remove_unused_columns", kAny, "only the columns that are needed are read"},
    {"log_level", kAny, "there is only one"},
    {"logging_dir", kAny, "logs are written into output_dir"},
    {"tf32", kAny, "products in fp32 stay in fp32"},
    {"infer_dtype", kAny, "use the option dtype of galore generate"},
    {"bf16_full_eval", kAny, "evaluation uses the weights of the training"},
    {"fp16_full_eval", kOff, kItIsOff, "bf16"},
    {"half_precision_backend", kAny, "there is only one"},
    {"upcast_layernorm", kAny, "norms are computed in fp32"},
    {"upcast_lmhead_output", kAny, "the loss is computed in fp32"},
    {"dataset", {}, "", "train_file: names of a dataset_info.json or of a hub are not read"},
    {"dataset_dir", kAny, "train_file decides"},
    {"template",
     {},
     "",
     "chat_template, the name or the file of a template; without it the tokenizer's is used"},
    {"fp16", kOff, kItIsOff, "bf16"},
    {"deepspeed", kOff, kItIsOff, "none: every process holds the whole model"},
    {"fsdp", kOff, kItIsOff, "none: every process holds the whole model"},
    {"badam_mode", {"layer"}, "the blocks are layers", "layer"},
    {"badam_switch_mode", {"ascending"}, "layers take turns in ascending order", "ascending"},
    {"badam_verbose", kAny, "the active layer is always logged"},
    // run_clm.py of transformers
    {"dataset_name", {}, "", "train_file: data sets of a hub are not read, save them as .jsonl or .parquet"},
    {"dataset_config_name", kAny, "train_file decides"},
    {"config_overrides", {}, "", "a config.json with these values (config_name)"},
    {"use_fast_tokenizer", kAny, "the tokenizer's files decide"},
    {"model_revision", kAny, kNoHub},
    {"token", kAny, kNoHub},
    {"use_auth_token", kAny, kNoHub},
    {"low_cpu_mem_usage", kAny, "weights are always read in place"},
    {"keep_linebreaks", {"true"}, "line ends of a document are kept", "true"},
    {"max_eval_samples", {}, "", "eval_max_batches, or a shorter eval_file"},
    {"validation_split_percentage", {}, "", "val_size, a share such as 0.05 for 5 percent"},
    // Hugging Face's Trainer
    {"do_predict", kOff, kItIsOff, "galore eval or galore generate"},
    {"prediction_loss_only", kAny, "evaluation computes the task's metrics"},
    {"eval_accumulation_steps", kAny, "nothing is kept of a batch but its sums"},
    {"eval_delay", kOff, kItIsOff, "eval_steps"},
    {"eval_do_concat_batches", kAny, "nothing is kept of a batch but its sums"},
    {"eval_use_gather_object", kAny, kOwnExchange},
    {"batch_eval_metrics", kAny, "metrics are always summed by batch"},
    {"torch_empty_cache_steps", kAny, "memory is planned before the run"},
    {"log_level_replica", kAny, kOwnExchange},
    {"log_on_each_node", kAny, kOwnExchange},
    {"logging_nan_inf_filter", kAny, "nan_policy decides"},
    {"logging_strategy", {"steps"}, "logging_steps decides", "steps"},
    {"save_on_each_node", kAny, kOwnExchange},
    {"restore_callback_states_from_checkpoint", kAny, "there are no callbacks"},
    {"no_cuda", kOff, kItIsOff, "device=cpu"},
    {"use_cpu", kOff, kItIsOff, "device=cpu"},
    {"use_mps_device", kOff, kItIsOff, "none: there are no kernels for it"},
    {"use_ipex", kAny, "our own kernels compute"},
    {"jit_mode_eval", kAny, "our own kernels compute"},
    {"torchdynamo", kAny, "our own kernels compute"},
    {"torch_compile", kAny, "our own kernels compute"},
    {"torch_compile_backend", kAny, "our own kernels compute"},
    {"torch_compile_mode", kAny, "our own kernels compute"},
    {"use_liger_kernel", kAny, "our own kernels compute, with the loss in pieces"},
    {"liger_kernel_config", kAny, "our own kernels compute"},
    {"fp16_opt_level", kAny, "there is no fp16"},
    {"fp16_backend", kAny, "there is no fp16"},
    {"ddp_backend", kAny, kOwnExchange},
    {"ddp_find_unused_parameters", kAny, kOwnExchange},
    {"ddp_bucket_cap_mb", kAny, kOwnExchange},
    {"ddp_broadcast_buffers", kAny, kOwnExchange},
    {"fsdp_config", kAny, kOwnExchange},
    {"fsdp_min_num_params", kAny, kOwnExchange},
    {"fsdp_transformer_layer_cls_to_wrap", kAny, kOwnExchange},
    {"accelerator_config", kAny, kOwnExchange},
    {"parallelism_config", kAny, kOwnExchange},
    {"average_tokens_across_devices", kAny, kOwnExchange},
    {"split_batches", kAny, kOwnExchange},
    {"tpu_num_cores", kAny, kOwnExchange},
    {"tpu_metrics_debug", kAny, kOwnExchange},
    {"mp_parameters", kAny, kOwnExchange},
    {"ray_scope", kAny, kOwnExchange},
    {"dataloader_drop_last", kAny, "every epoch uses all rows"},
    {"dataloader_pin_memory", kAny, "batches are copied as the device needs it"},
    {"dataloader_persistent_workers", kAny, "the threads live as long as the run"},
    {"dataloader_prefetch_factor", kAny, "dataloader_num_workers decides"},
    {"past_index", kAny, "models of this kind do not exist here"},
    {"label_names", kAny, "the task decides"},
    {"length_column_name", kAny, "lengths are counted"},
    {"ignore_data_skip", kOff, kItIsOff, "false: a resumed run continues at its row"},
    {"adafactor", kOff, kItIsOff, "optim=adafactor"},
    {"skip_memory_metrics", kAny, "memory is always logged"},
    {"include_inputs_for_metrics", kAny, "the task's metrics are computed"},
    {"include_for_metrics", kAny, "the task's metrics are computed"},
    {"include_tokens_per_second", kAny, "tokens a second are always logged"},
    {"use_legacy_prediction_loop", kAny, "there is one loop"},
    {"gradient_checkpointing_kwargs", kAny, "there is one kind of recomputation"},
    {"push_to_hub", kOff, kItIsOff, "none: upload the folder by 'hf upload'"},
    {"push_to_hub_model_id", kAny, kNoHub},
    {"push_to_hub_organization", kAny, kNoHub},
    {"push_to_hub_token", kAny, kNoHub},
    {"hub_model_id", kAny, kNoHub},
    {"hub_strategy", kAny, kNoHub},
    {"hub_token", kAny, kNoHub},
    {"hub_private_repo", kAny, kNoHub},
    {"hub_always_push", kAny, kNoHub},
    {"hub_revision", kAny, kNoHub},
    {"trackio_space_id", kAny, kNoHub},
    // axolotl
    {"datasets", {}, "", "train_file: datasets of a hub are not read"},
    {"dataset_prepared_path", kAny, "cache_dir decides"},
    {"float16", kOff, kItIsOff, "bf16"},
    {"strict", kAny, "unknown keys are always refused"},
    {"pad_to_sequence_len", kAny, "rows have max_length tokens"},
    {"flash_attention", kAny, "attention is always computed in blocks"},
    {"xformers_attention", kAny, "attention is always computed in blocks"},
    {"sdp_attention", kAny, "attention is always computed in blocks"},
    {"model_type", kAny, "config.json decides"},
    {"tokenizer_type", kAny, "the tokenizer's files decide"},
    {"wandb_project", kOff, kItIsOff, "none: report_to=all writes files, galore report draws them"},
    {"wandb_entity", kAny, "nothing is sent anywhere"},
    {"wandb_watch", kAny, "nothing is sent anywhere"},
    {"wandb_name", kAny, "run_name decides"},
    {"wandb_log_model", kAny, "nothing is sent anywhere"},
    {"evals_per_epoch", kOff, kItIsOff, "eval_steps: below 1 a share of all updates"},
    {"saves_per_epoch", kOff, kItIsOff, "save_steps: below 1 a share of all updates"},
    {"special_tokens", {}, "", "them in the tokenizer's files"},
    {"local_rank", kAny, kOwnExchange},
    {"debug", kAny, "there is no such mode"},
    // The research scripts
    {"use_hf_model", kAny, "there is one model"},
    {"single_gpu", kAny, kOwnExchange},
    {"workers", kAny, "dataloader_num_workers decides"},
    {"tags", kAny, "run_name decides"},
    {"project", kAny, "nothing is sent anywhere"},
    {"unset_wandb", kAny, "nothing is sent anywhere"},
    {"weight_quant", kOff, kItIsOff, "optim_args: weight_bits=8"},
    {"simulation", kOff, kItIsOff, "none: weights in codes are stored so"},
};

bool holds(const std::vector<std::string>& values, const std::string& value) {
  return std::any_of(values.begin(), values.end(), [&](const std::string& known) {
    return known == "*" || known == canonical_name(value);
  });
}

}  // namespace

void declare_foreign_keys(OptionTable& table, std::map<std::string, std::string>& values) {
  table.group("Keys of other programs that have no effect");
  for (const ForeignKey& key : kForeignKeys) {
    const std::string help = key.idle.empty() ? "not here; expected" : key.why;
    table.add(key.name, &values[key.name], key.idle.empty() ? help + " " + key.expected : help);
  }
}

void resolve_foreign_keys(OptionTable& table, std::vector<std::string>& notes) {
  for (const ForeignKey& key : kForeignKeys) {
    const Option* option = table.find(key.name);
    if (!option->was_set() || option->text().empty()) continue;
    if (!holds(key.idle, option->text()))
      fail_usage(option->given_in(), "{}: expected {}, given '{}'", key.name, key.expected, option->text());
    notes.push_back(fmt::format("{} has no effect: {}", key.name, key.why));
  }
}

}  // namespace galore
