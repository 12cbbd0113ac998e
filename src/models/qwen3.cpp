// Qwen3 (Yang et al., 2025): LLaMA whose queries and keys are normalized, each head by itself, with perhaps a
// sliding window in some layers.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan qwen3_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.head_norms = HeadNorms::per_head;
  return with_windows(equal_layers(size), c);
}

}  // namespace

Architecture qwen3() {
  Architecture made = qwen2();
  made.model_type = "qwen3";
  made.class_name = "Qwen3ForCausalLM";
  made.keys = with_default(made.keys, "head_dim", 128);
  made.keys.push_back({"attention_bias", &ModelConfig::attention_bias, 0, 0, 1});
  made.plan = qwen3_plan;
  return made;
}

}  // namespace galore
