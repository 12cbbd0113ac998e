// Qwen2 and Qwen2.5 (Yang et al., 2024): LLaMA with biases of queries, keys and values, and perhaps a sliding
// window in some layers.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan qwen2_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.bias = true;
  size.attention.output_bias = false;
  return with_windows(equal_layers(size), c);
}

}  // namespace

Architecture qwen2() {
  Architecture made = llama();
  made.model_type = "qwen2";
  made.class_name = "Qwen2ForCausalLM";
  made.keys = without(without(made.keys, "attention_bias"), "mlp_bias");
  made.keys = with_default(made.keys, "vocab_size", 151936);
  made.keys = with_default(made.keys, "intermediate_size", 22016);
  made.keys = with_default(made.keys, "num_key_value_heads", 32);
  made.keys = with_default(made.keys, "max_position_embeddings", 32768);
  for (const char* id : {"bos_token_id", "eos_token_id"}) made.keys = with_default(made.keys, id, kNone);
  made.keys.push_back({"use_sliding_window", &ModelConfig::use_sliding_window, 0, 0, 1});
  made.keys.push_back({"sliding_window", &ModelConfig::sliding_window, 4096, 1, INT32_MAX});
  made.keys.push_back({"max_window_layers", &ModelConfig::max_window_layers, 28, 0, INT32_MAX});
  made.plan = qwen2_plan;
  made.windows = Windows::some;
  return made;
}

}  // namespace galore
