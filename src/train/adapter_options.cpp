#include "train/adapter_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "adapters/adapter_kind.h"
#include "checkpoint/layer_choice.h"
#include "checkpoint/peft_directory.h"
#include "core/errors.h"
#include "core/options.h"
#include "train/train_options.h"

namespace galore {
namespace {

constexpr const char* kNone[] = {"", "none", "false", "no", "off", "full", "null"};

bool is_none(const std::string& word) {
  return std::find(std::begin(kNone), std::end(kNone), word) != std::end(kNone);
}

// Puts the value of another program's option into the arguments and clears the option.
void take(Adapter::Json& arguments, const char* key, std::string& value, const char* option,
          std::vector<std::string>& notes) {
  if (value.empty()) return;
  if (arguments.contains(key))
    fail_usage(option, "expected either this or {} in adapter_args, given both", key);
  arguments[key] = value;
  notes.push_back(fmt::format("{} is taken as {} in adapter_args", option, key));
  value.clear();
}

void choose_kind(AdapterChoice& o, const char* option, const std::string& kind, bool& wanted) {
  if (!wanted) return;
  if (o.adapter != "lora" && o.adapter != kind)
    fail_usage(option, "expected adapter: lora, given adapter={}", o.adapter);
  o.adapter = kind;
  wanted = false;
}

// LoRA+ is LoRA with other learning rates. LLaMA-Factory and axolotl ask for it by the ratio alone.
void choose_plus(AdapterChoice& o, Adapter::Json& arguments) {
  if (o.loraplus_lr_ratio.empty()) return;
  if (o.adapter == "dora") arguments["use_dora"] = true;
  if (o.adapter == "rslora") arguments["use_rslora"] = true;
  if (o.adapter == "lora" || o.adapter == "dora" || o.adapter == "rslora") o.adapter = "lora_plus";
}

}  // namespace

void declare_adapter_path(OptionTable& table, AdapterChoice& o) {
  table
      .add("adapter_name_or_path", &o.adapter_name_or_path,
           "PEFT directory of an adapter for the model (adapter_config.json, adapter_model.safetensors)")
      .alias("lora_model_dir");
}

void declare_options(OptionTable& table, AdapterChoice& o) {
  table.group("Adapter");
  table.add("adapter", &o.adapter,
            "train an adapter instead of all weights (lora, rslora, dora, lora_plus, prilora), or other "
            "layers in place of matrices (low_rank, cola, sltrain, inrank, relora, gradnormlorp, poet_x); "
            "unset: none");
  table.add(
      "adapter_args", &o.adapter_args,
      "arguments of the adapter in PEFT's names: a map, or r=8,lora_alpha=16,target_modules=all-linear");
  declare_adapter_path(table, o);
  table.add("loraplus_lr_ratio", &o.loraplus_lr_ratio, "adapter=lora_plus: learning rate of B over A's");
  table.add("loraplus_lr_embedding", &o.loraplus_lr_embedding,
            "adapter=lora_plus: learning rate of an embedding's factors");
  table.add("finetuning_type", &o.finetuning_type, "full, or lora: the same as adapter=lora");
  table.add("lora_rank", &o.lora_rank, "r in adapter_args").alias("lora_r");
  table.add("lora_alpha", &o.lora_alpha, "lora_alpha in adapter_args");
  table.add("lora_dropout", &o.lora_dropout, "lora_dropout in adapter_args");
  table.add("lora_target", &o.lora_target, "target_modules in adapter_args; all: all-linear")
      .alias("lora_target_modules");
  table.add("lora_target_linear", &o.lora_target_linear, "target_modules=all-linear in adapter_args");
  table.add("additional_target", &o.additional_target, "modules_to_save in adapter_args")
      .alias("lora_modules_to_save");
  table.add("use_dora", &o.use_dora, "the same as adapter=dora").alias("peft_use_dora");
  table.add("use_rslora", &o.use_rslora, "the same as adapter=rslora").alias("peft_use_rslora");
}

void resolve_adapter(AdapterChoice& o, std::vector<std::string>& notes) {
  if (!is_none(o.finetuning_type)) {
    if (o.finetuning_type != "lora")
      fail_usage("finetuning_type", "expected full or lora, given '{}'", o.finetuning_type);
    if (is_none(o.adapter)) o.adapter = "lora";
    // LLaMA-Factory's defaults
    if (o.lora_rank.empty() && o.adapter_args.empty() && o.adapter_name_or_path.empty()) o.lora_rank = "8";
    if (!o.lora_rank.empty() && o.lora_alpha.empty())
      o.lora_alpha = std::to_string(2 * parse_count("lora_rank", "lora_rank", o.lora_rank));
  }
  o.finetuning_type.clear();
  if (is_none(o.adapter)) o.adapter.clear();
  if (o.adapter.empty() && !o.adapter_name_or_path.empty()) o.adapter = "lora";
  choose_kind(o, "use_dora", "dora", o.use_dora);
  choose_kind(o, "use_rslora", "rslora", o.use_rslora);
  Adapter::Json arguments = parse_adapter_args(o.adapter_args);
  choose_plus(o, arguments);
  if (o.lora_target == "all") o.lora_target = "all-linear";
  if (o.lora_target_linear) o.lora_target = "all-linear", o.lora_target_linear = false;
  take(arguments, "r", o.lora_rank, "lora_rank", notes);
  take(arguments, "lora_alpha", o.lora_alpha, "lora_alpha", notes);
  take(arguments, "lora_dropout", o.lora_dropout, "lora_dropout", notes);
  take(arguments, "target_modules", o.lora_target, "lora_target", notes);
  take(arguments, "modules_to_save", o.additional_target, "additional_target", notes);
  take(arguments, "loraplus_lr_ratio", o.loraplus_lr_ratio, "loraplus_lr_ratio", notes);
  take(arguments, "loraplus_lr_embedding", o.loraplus_lr_embedding, "loraplus_lr_embedding", notes);
  if (!arguments.empty() && o.adapter.empty())
    fail_usage("adapter", "expected one of {} with {}", fmt::join(adapter_names(), ", "),
               arguments.begin().key());
  o.adapter_args = arguments.empty() ? "" : arguments.dump();
  adapter_of(o);  // refuses wrong arguments before anything is read
}

namespace {

// Takes the layers that the model's directory names. Options that name other layers are refused.
void take_layers_of(const Path& directory, AdapterChoice& o) {
  const auto saved = read_layer_choice(directory);
  if (!saved) return;
  if (!o.adapter.empty() && o.adapter != saved->adapter)
    fail_usage("adapter", "expected {}, which {} has, given {}", saved->adapter, directory.string(),
               o.adapter);
  if (!o.adapter_args.empty() && o.adapter_args != saved->arguments)
    fail_usage("adapter_args", "expected {} or none, because {} has these", saved->arguments,
               directory.string());
  o.adapter = saved->adapter;
  o.adapter_args = saved->arguments;
}

}  // namespace

void resolve_base_model(ModelSource& source) {
  const Path path = source.model_name_or_path;
  if (path.empty()) return;
  if (!is_adapter_directory(path)) return take_layers_of(path, source);
  if (!source.adapter_name_or_path.empty())
    fail_usage("model_name_or_path", "expected a model, given the adapter {}", path.string());
  const Adapter::Json config = read_adapter_config(path);
  const auto base = config.find("base_model_name_or_path");
  if (base == config.end() || !base->is_string() || base->get<std::string>().empty())
    fail("adapter", "{}: base_model_name_or_path names no model: give it by --model_name_or_path",
         (path / kAdapterConfigName).string());
  source.adapter_name_or_path = path.string();
  source.model_name_or_path = base->get<std::string>();
  if (!std::filesystem::is_directory(source.model_name_or_path))
    fail("adapter", "{}: base_model_name_or_path: {} is no directory", (path / kAdapterConfigName).string(),
         source.model_name_or_path);
  if (source.adapter.empty()) source.adapter = "lora";
}

std::shared_ptr<const Adapter> adapter_of(const AdapterChoice& o) {
  const bool is_read = !o.adapter_name_or_path.empty();
  if (o.adapter.empty() && !is_read) return nullptr;
  const AdapterKind& kind = adapter_kind(o.adapter.empty() ? "lora" : o.adapter);
  const Adapter::Json arguments = parse_adapter_args(o.adapter_args);
  if (!is_read) return kind.make(arguments);
  if (!kind.read) fail_usage("adapter_name_or_path", "expected none: {} has no PEFT directories", kind.name);
  return kind.read(read_adapter_config(o.adapter_name_or_path),
                   (Path(o.adapter_name_or_path) / kAdapterConfigName).string(), arguments);
}

}  // namespace galore
