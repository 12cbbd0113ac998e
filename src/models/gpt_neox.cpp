// GPT-NeoX (Black et al., 2022) and Pythia: layer norms, GELU, rotary positions of a quarter of each head,
// one matrix for queries, keys and values, and branches that read the same stream.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan gpt_neox_plan(const ModelConfig& c) {
  LayerSize size;
  size.attention = {c.hidden_size, c.num_attention_heads, c.num_attention_heads, c.head_dim};
  size.attention.bias = size.attention.output_bias = c.attention_bias;
  size.attention.fused = "attention.query_key_value";
  size.attention.fused_by_head = true;
  size.attention.output = "attention.dense";
  size.mlp = {c.hidden_size, c.intermediate_size, /*bias=*/true, c.hidden_act, /*gated=*/false};
  size.mlp.up = "mlp.dense_h_to_4h";
  size.mlp.down = "mlp.dense_4h_to_h";
  size.norm_epsilon = c.norm_epsilon;
  size.norm = NormKind::layer;
  size.parallel = c.use_parallel_residual;
  TransformerPlan plan = equal_layers(size);
  plan.embedding = "gpt_neox.embed_in";
  plan.layers = "gpt_neox.layers";
  plan.final_norm = "gpt_neox.final_layer_norm";
  plan.head = "embed_out";
  plan.frozen_padding = false;
  return plan;
}

// These are the keys of GPTNeoXConfig in transformers.
ConfigKeys gpt_neox_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 50432, 1, kLargestSize},
      {"hidden_size", &ModelConfig::hidden_size, 6144, 1, kLargestSize},
      {"intermediate_size", &ModelConfig::intermediate_size, 24576, 1, kLargestSize},
      {"num_hidden_layers", &ModelConfig::num_hidden_layers, 44, 1, kLargestCount},
      {"num_attention_heads", &ModelConfig::num_attention_heads, 64, 1, kLargestCount},
      {"max_position_embeddings", &ModelConfig::max_position_embeddings, 2048, 1, INT32_MAX},
      {"layer_norm_eps", &ModelConfig::norm_epsilon, 1e-5, 0, 1},
      {"rotary_emb_base", &ModelConfig::rope_theta, 10000, 1e-3, 1e15},
      {"rotary_pct", &ModelConfig::partial_rotary_factor, 0.25, 1e-3, 1},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"attention_bias", &ModelConfig::attention_bias, 1, 0, 1},
      {"attention_dropout", &ModelConfig::attn_pdrop, 0, 0, kMostDropped},
      {"hidden_dropout", &ModelConfig::resid_pdrop, 0, 0, kMostDropped},
      {"use_parallel_residual", &ModelConfig::use_parallel_residual, 1, 0, 1},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 0, 0, 1},
      {"bos_token_id", &ModelConfig::bos_token_id, 0, kNone, kLargestId},
      {"eos_token_id", &ModelConfig::eos_token_id, 2, kNone, kLargestId},
      {"pad_token_id", &ModelConfig::pad_token_id, kNone, kNone, kLargestId},
  };
}

}  // namespace

Architecture gpt_neox() {
  Architecture made{
      "gpt_neox", "GPTNeoXForCausalLM", gpt_neox_keys(), {{"quantization_config", {}}}, gpt_neox_plan};
  made.activation = "gelu";
  made.complete = [](ModelConfig& config) { config.embd_pdrop = config.resid_pdrop; };
  return made;
}

}  // namespace galore
