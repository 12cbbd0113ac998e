// ERNIE 4.5 (Baidu, 2025), the dense models: LLaMA whose rotary positions turn neighbouring features.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan ernie4_5_plan(const ModelConfig& c) {
  TransformerPlan plan = llama().plan(c);
  plan.rotaries = {rotary_options(c)};
  plan.rotaries[0].pairs = RotaryPairs::neighbours;
  return plan;
}

}  // namespace

Architecture ernie4_5() {
  Architecture made = llama();
  made.model_type = "ernie4_5";
  made.class_name = "Ernie4_5ForCausalLM";
  // transformers ignores attention_dropout, and use_bias stands for both biases.
  for (const char* unused : {"attention_dropout", "attention_bias", "mlp_bias"})
    made.keys = without(made.keys, unused);
  made.keys.push_back({"use_bias", &ModelConfig::attention_bias, 0, 0, 1});
  made.keys = with_default(made.keys, "vocab_size", 103424);
  made.keys = with_default(made.keys, "hidden_size", 1024);
  made.keys = with_default(made.keys, "intermediate_size", 3072);
  made.keys = with_default(made.keys, "num_hidden_layers", 18);
  made.keys = with_default(made.keys, "num_attention_heads", 16);
  made.keys = with_default(made.keys, "num_key_value_heads", 2);
  made.keys = with_default(made.keys, "head_dim", 128);
  made.keys = with_default(made.keys, "max_position_embeddings", 131072);
  made.keys = with_default(made.keys, "rms_norm_eps", 1e-5);
  made.keys = with_default(made.keys, "rope_theta", 500000);
  made.keys = with_default(made.keys, "tie_word_embeddings", 1);
  made.keys = with_default(made.keys, "pad_token_id", 0);
  made.plan = ernie4_5_plan;
  made.complete = [](ModelConfig& config) { config.mlp_bias = config.attention_bias; };
  return made;
}

}  // namespace galore
