// Gemma 3 (Gemma Team, 2025), the text models and the text part of the multimodal ones: Gemma 2 with norms of
// the heads, a sliding window in five of six layers with rotary angles of its own, and usually no soft caps.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan gemma3_plan(const ModelConfig& c) {
  TransformerPlan plan = gemma2().plan(c);
  plan.rotaries = {rotary_options(c), local_rotary_options(c)};
  plan.layer = [layer = plan.layer, c](int64_t i) {
    LayerSize size = layer(i);
    size.attention.head_norms = HeadNorms::per_head;
    size.attention.scores.soft_cap = 0;  // transformers reads the key and does not use it
    size.rotary = c.is_sliding(i) ? 1 : 0;
    return size;
  };
  return plan;
}

}  // namespace

Architecture gemma3_text() {
  Architecture made = gemma2();
  made.model_type = "gemma3_text";
  made.class_name = "Gemma3ForCausalLM";
  made.keys = with_default(made.keys, "vocab_size", 262208);
  made.keys = with_default(made.keys, "max_position_embeddings", 131072);
  made.keys = with_default(made.keys, "rope_theta", 1e6);
  made.keys = with_default(made.keys, "attn_logit_softcapping", kNone);
  made.keys = with_default(made.keys, "final_logit_softcapping", kNone);
  made.keys.push_back({"rope_local_base_freq", &ModelConfig::local_rope_theta, 10000, 1e-3, 1e15});
  made.keys.push_back({"sliding_window_pattern", &ModelConfig::sliding_window_pattern, 6, 1, kLargestCount});
  made.plan = gemma3_plan;
  made.local_rope = true;
  made.multimodal_type = "gemma3";
  made.complete = [](ModelConfig& config) { complete_layer_types(config, config.sliding_window_pattern); };
  return made;
}

}  // namespace galore
