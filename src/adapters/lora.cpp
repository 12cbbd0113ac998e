// LoRA (Hu et al., "LoRA: low-rank adaptation of large language models", arXiv 2106.09685): the weights are
// frozen, and factors with the product s B A of rank r are trained next to them; s = alpha / r.
#include "adapters/adapter_kind.h"
#include "adapters/lora_adapter.h"

namespace galore {

AdapterKind lora_adapter() {
  return {"lora", "factors B A of low rank next to frozen weights",
          [](const Adapter::Json& arguments) { return new_lora(arguments, nullptr); },
          [](const Adapter::Json& config, const std::string& where, const Adapter::Json&) {
            return read_lora(config, where);
          }};
}

}  // namespace galore
