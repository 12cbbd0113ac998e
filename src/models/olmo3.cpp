// OLMo 3 (Team OLMo, 2025): OLMo 2 with a sliding window in three of four layers. A scaling of the rotary
// positions applies to the other layers only.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan olmo3_plan(const ModelConfig& c) {
  TransformerPlan plan = with_windows(olmo2().plan(c), c);
  plan.rotaries = {rotary_options(c), local_rotary_options(c)};
  plan.layer = [layer = plan.layer, c](int64_t i) {
    LayerSize size = layer(i);
    size.rotary = c.is_sliding(i) ? 1 : 0;
    return size;
  };
  return plan;
}

}  // namespace

Architecture olmo3() {
  Architecture made = olmo2();
  made.model_type = "olmo3";
  made.class_name = "Olmo3ForCausalLM";
  made.keys.push_back({"sliding_window", &ModelConfig::sliding_window, 4096, 1, INT32_MAX});
  made.plan = olmo3_plan;
  made.windows = Windows::typed;
  made.local_rope = true;
  made.complete = [](ModelConfig& config) { complete_layer_types(config, 4); };
  return made;
}

}  // namespace galore
