// DoRA (Liu et al., "DoRA: weight-decomposed low-rank adaptation", arXiv 2402.09353): LoRA changes the
// direction of each row of a weight, and the rows' norms are trained by themselves.
#include "adapters/adapter_kind.h"
#include "adapters/lora_adapter.h"

namespace galore {

AdapterKind dora_adapter() {
  return {"dora", "LoRA for the directions of the weight's rows, and trained norms of the rows",
          [](const Adapter::Json& arguments) { return new_lora(arguments, "use_dora"); },
          [](const Adapter::Json& config, const std::string& where, const Adapter::Json&) {
            return read_lora(config, where);
          }};
}

}  // namespace galore
