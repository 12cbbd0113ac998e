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

const std::vector<std::string> kOff{"false", "no", "off", "0", "none", "null"}, kAny{"*"};

const std::vector<ForeignKey> kForeignKeys{
    // LLaMA-Factory and Hugging Face
    {"do_train", {"true"}, "training is what this command does", "galore eval to evaluate alone"},
    {"do_eval", kAny, "eval_file or val_size decides"},
    {"trust_remote_code", kAny, "no code of a model is run"},
    {"overwrite_cache", kAny, "caches of tokens are named by their content"},
    {"plot_loss", kAny, "training_loss.svg is always drawn"},
    {"ddp_timeout", kAny, "one process trains"},
    {"flash_attn", kAny, "attention is always computed in blocks"},
    {"include_num_input_tokens_seen", kAny, "tokens_seen is always logged"},
    {"save_safetensors", {"true"}, "safetensors is the only format", "true"},
    {"remove_unused_columns", kAny, "only the columns that are needed are read"},
    {"log_level", kAny, "there is only one"},
    {"logging_dir", kAny, "logs are written into output_dir"},
    {"tf32", kAny, "products in fp32 stay in fp32"},
    {"infer_dtype", kAny, "use the option dtype of galore generate"},
    {"bf16_full_eval", kAny, "evaluation uses the weights of the training"},
    {"fp16_full_eval", kOff, "it is off", "bf16"},
    {"half_precision_backend", kAny, "there is only one"},
    {"upcast_layernorm", kAny, "norms are computed in fp32"},
    {"upcast_lmhead_output", kAny, "the loss is computed in fp32"},
    {"dataset", {}, "", "train_file: names of a dataset_info.json or of a hub are not read"},
    {"dataset_dir", kAny, "train_file decides"},
    {"template", {}, "", "rows with text, or galore tokenize --apply_chat_template before the training"},
    {"fp16", kOff, "it is off", "bf16"},
    {"deepspeed", kOff, "it is off", "none: one process trains"},
    {"fsdp", kOff, "it is off", "none: one process trains"},
    {"badam_mode", {"layer"}, "the blocks are layers", "layer"},
    {"badam_switch_mode", {"ascending"}, "layers take turns in ascending order", "ascending"},
    {"badam_verbose", kAny, "the active layer is always logged"},
    // axolotl
    {"datasets", {}, "", "train_file: datasets of a hub are not read"},
    {"dataset_prepared_path", kAny, "cache_dir decides"},
    {"float16", kOff, "it is off", "bf16"},
    {"load_in_8bit", kOff, "it is off", "optim_args: weight_bits=8"},
    {"load_in_4bit", kOff, "it is off", "optim_args: weight_bits=8"},
    {"strict", kAny, "unknown keys are always refused"},
    {"train_on_inputs", {"true"}, "every token is trained", "labels in the rows (galore tokenize)"},
    {"group_by_length", kOff, "it is off", "packing"},
    {"pad_to_sequence_len", kAny, "rows have max_length tokens"},
    {"flash_attention", kAny, "attention is always computed in blocks"},
    {"xformers_attention", kAny, "attention is always computed in blocks"},
    {"sdp_attention", kAny, "attention is always computed in blocks"},
    {"model_type", kAny, "config.json decides"},
    {"tokenizer_type", kAny, "the tokenizer's files decide"},
    {"wandb_project", kOff, "it is off", "none: report_to=all writes files, galore report draws them"},
    {"wandb_entity", kAny, "nothing is sent anywhere"},
    {"wandb_watch", kAny, "nothing is sent anywhere"},
    {"wandb_name", kAny, "run_name decides"},
    {"wandb_log_model", kAny, "nothing is sent anywhere"},
    {"evals_per_epoch", kOff, "it is off", "eval_steps: below 1 a share of all updates"},
    {"saves_per_epoch", kOff, "it is off", "save_steps: below 1 a share of all updates"},
    {"special_tokens", {}, "", "them in the tokenizer's files"},
    {"local_rank", kAny, "one process trains"},
    {"debug", kAny, "there is no such mode"},
    // The research scripts
    {"use_hf_model", kAny, "there is one model"},
    {"single_gpu", kAny, "one process trains"},
    {"workers", kAny, "dataloader_num_workers decides"},
    {"tags", kAny, "run_name decides"},
    {"project", kAny, "nothing is sent anywhere"},
    {"unset_wandb", kAny, "nothing is sent anywhere"},
    {"weight_quant", kOff, "it is off", "optim_args: weight_bits=8"},
    {"simulation", kOff, "it is off", "none: weights in codes are stored so"},
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
