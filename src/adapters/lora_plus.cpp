// LoRA+ (Hayou et al., "LoRA+: efficient low rank adaptation of large models", arXiv 2402.12354): LoRA with a
// higher learning rate for B than for A.
#include "adapters/adapter_kind.h"
#include "adapters/lora_adapter.h"
#include "core/options.h"

namespace galore {
namespace {

// Takes the two options of LoRA+ out of the arguments; all others are LoRA's.
LoraPlus take_rates(Adapter::Json& arguments) {
  LoraPlus plus;
  OptionTable table;
  table.add("loraplus_lr_ratio", &plus.ratio, "learning rate of B divided by that of A").range(0, 1e9);
  table.add("loraplus_lr_embedding", &plus.embedding_rate, "learning rate of an embedding's factors")
      .range(0, 1e9);
  take_own_options(table, arguments);
  return plus;
}

}  // namespace

AdapterKind lora_plus_adapter() {
  return {"lora_plus", "LoRA with a higher learning rate for B",
          [](const Adapter::Json& given) {
            Adapter::Json arguments = given;
            const LoraPlus plus = take_rates(arguments);
            return new_lora(arguments, nullptr, plus);
          },
          [](const Adapter::Json& config, const std::string& where, const Adapter::Json& given) {
            Adapter::Json arguments = given;
            return read_lora(config, where, take_rates(arguments));
          }};
}

}  // namespace galore
