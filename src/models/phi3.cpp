// Phi-3 and Phi-4-mini (Abdin et al., 2024): LLaMA with one matrix for queries, keys and values, one for gate
// and up, and long contexts by longrope. Phi-4-mini rotates a part of each head.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan phi3_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.fused = "self_attn.qkv_proj";
  size.attention.window = c.sliding_window.value_or(0);
  size.mlp.fused = "mlp.gate_up_proj";
  return equal_layers(size);
}

}  // namespace

Architecture phi3() {
  Architecture made = llama();
  made.model_type = "phi3";
  made.class_name = "Phi3ForCausalLM";
  made.keys = without(without(made.keys, "attention_bias"), "mlp_bias");
  made.keys = with_default(made.keys, "vocab_size", 32064);
  made.keys = with_default(made.keys, "hidden_size", 3072);
  made.keys = with_default(made.keys, "intermediate_size", 8192);
  made.keys = with_default(made.keys, "max_position_embeddings", 4096);
  made.keys = with_default(made.keys, "rms_norm_eps", 1e-5);
  made.keys = with_default(made.keys, "eos_token_id", 32000);
  made.keys = with_default(made.keys, "pad_token_id", 32000);
  made.keys.push_back({"sliding_window", &ModelConfig::sliding_window, kNone, 1, INT32_MAX});
  made.keys.push_back({"resid_pdrop", &ModelConfig::resid_pdrop, 0, 0, kMostDropped});
  made.keys.push_back({"partial_rotary_factor", &ModelConfig::partial_rotary_factor, 1, 1e-3, 1});
  made.keys.push_back({"original_max_position_embeddings", &ModelConfig::original_max_position_embeddings,
                       4096, 1, INT32_MAX});
  made.requirements = without(made.requirements, "partial_rotary_factor");
  made.plan = phi3_plan;
  made.windows = Windows::all;
  return made;
}

}  // namespace galore
