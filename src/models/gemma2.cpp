// Gemma 2 (Gemma Team, 2024): norms before and behind both branches with 1 + weight as factor, gated GELU,
// soft caps of attention scores and logits, and a sliding window in every other layer.
#include <cmath>

#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan gemma2_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.norm = size.attention.norm = NormKind::rms_plus_one;
  size.middle_norm = "pre_feedforward_layernorm";
  size.attention.branch = with_norm("post_attention_layernorm", size);
  size.mlp.branch = with_norm("post_feedforward_layernorm", size);
  if (c.query_pre_attn_scalar > 0)
    size.attention.scores.scale = 1 / std::sqrt(static_cast<double>(c.query_pre_attn_scalar));
  size.attention.scores.soft_cap = c.attn_logit_softcapping.value_or(0);
  TransformerPlan plan = with_windows(equal_layers(size), c);
  plan.embedding_multiplier = std::sqrt(static_cast<double>(c.hidden_size));
  plan.logits.soft_cap = c.final_logit_softcapping.value_or(0);
  return plan;
}

}  // namespace

Architecture gemma2() {
  Architecture made = llama();
  made.model_type = "gemma2";
  made.class_name = "Gemma2ForCausalLM";
  made.activation_key = "hidden_activation";
  made.activation = "gelu_pytorch_tanh";
  made.keys = without(made.keys, "mlp_bias");
  made.keys = with_default(made.keys, "vocab_size", 256000);
  made.keys = with_default(made.keys, "hidden_size", 2304);
  made.keys = with_default(made.keys, "intermediate_size", 9216);
  made.keys = with_default(made.keys, "num_hidden_layers", 26);
  made.keys = with_default(made.keys, "num_attention_heads", 8);
  made.keys = with_default(made.keys, "num_key_value_heads", 4);
  made.keys = with_default(made.keys, "head_dim", 256);
  made.keys = with_default(made.keys, "max_position_embeddings", 8192);
  made.keys = with_default(made.keys, "tie_word_embeddings", 1);
  made.keys = with_default(made.keys, "pad_token_id", 0);
  made.keys = with_default(made.keys, "eos_token_id", 1);
  made.keys = with_default(made.keys, "bos_token_id", 2);
  made.keys.push_back({"sliding_window", &ModelConfig::sliding_window, 4096, 1, INT32_MAX});
  made.keys.push_back({"query_pre_attn_scalar", &ModelConfig::query_pre_attn_scalar, 256, 1, kLargestFactor});
  made.keys.push_back(
      {"attn_logit_softcapping", &ModelConfig::attn_logit_softcapping, 50, 1e-6, kLargestFactor});
  made.keys.push_back(
      {"final_logit_softcapping", &ModelConfig::final_logit_softcapping, 30, 1e-6, kLargestFactor});
  for (const char* read : {"attn_logit_softcapping", "final_logit_softcapping"})
    made.requirements = without(made.requirements, read);
  made.plan = gemma2_plan;
  made.windows = Windows::typed;
  made.complete = [](ModelConfig& config) { complete_layer_types(config, 2); };
  return made;
}

}  // namespace galore
