// rsLoRA (Kalajdzievski, "A rank stabilization scaling factor for fine-tuning with LoRA", arXiv 2312.03732):
// LoRA with the scale alpha / sqrt(r), which keeps the size of the output's change independent of the rank.
#include "adapters/adapter_kind.h"
#include "adapters/lora_adapter.h"

namespace galore {

AdapterKind rslora_adapter() {
  return {"rslora", "LoRA with the scale alpha / sqrt(r)",
          [](const Adapter::Json& arguments) { return new_lora(arguments, "use_rslora"); },
          [](const Adapter::Json& config, const std::string& where, const Adapter::Json&) {
            return read_lora(config, where);
          }};
}

}  // namespace galore
