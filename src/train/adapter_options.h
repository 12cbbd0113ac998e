// The options of an adapter, with the names of LLaMA-Factory and axolotl, and the adapter that they make.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace galore {

class Adapter;
class OptionTable;
struct ModelSource;

struct AdapterChoice {
  std::string adapter, adapter_args, adapter_name_or_path;  // "": none

  // Names of other programs; resolve_adapter() puts them into the options above.
  std::string finetuning_type, lora_rank, lora_alpha, lora_dropout, lora_target, additional_target;
  std::string loraplus_lr_ratio, loraplus_lr_embedding;
  bool lora_target_linear = false, use_dora = false, use_rslora = false;
};

// Declares the options of a new adapter. `adapter_name_or_path` is declared by every command that reads a
// model, with declare_adapter_path().
void declare_options(OptionTable& table, AdapterChoice& options);
void declare_adapter_path(OptionTable& table, AdapterChoice& options);

// Turns the names of other programs into ours and notes it. Contradictions are UsageErrors.
void resolve_adapter(AdapterChoice& options, std::vector<std::string>& notes);
// If model_name_or_path is a PEFT directory, makes it adapter_name_or_path and takes the model that its
// configuration names. A configuration without a model is an Error.
void resolve_base_model(ModelSource& source);
// Returns the adapter of the options, or null. A directory that is no LoRA adapter is an Error.
std::shared_ptr<const Adapter> adapter_of(const AdapterChoice& options);

}  // namespace galore
