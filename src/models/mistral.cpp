// Mistral (Jiang et al., 2023): LLaMA without biases. In every layer a position sees a window of the last
// tokens.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan mistral_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.window = c.sliding_window.value_or(0);
  return equal_layers(size);
}

}  // namespace

Architecture mistral() {
  Architecture made = llama();
  made.model_type = "mistral";
  made.class_name = "MistralForCausalLM";
  made.keys = without(without(made.keys, "attention_bias"), "mlp_bias");
  made.keys = with_default(made.keys, "intermediate_size", 14336);
  made.keys = with_default(made.keys, "num_key_value_heads", 8);
  made.keys = with_default(made.keys, "max_position_embeddings", 131072);
  made.keys.push_back({"sliding_window", &ModelConfig::sliding_window, 4096, 1, INT32_MAX});
  made.plan = mistral_plan;
  made.windows = Windows::all;
  return made;
}

}  // namespace galore
