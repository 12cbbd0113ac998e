// LLaMA (Touvron et al., 2023): RMS norms, rotary positions, SwiGLU and, in later versions, grouped key and
// value heads.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan llama_plan(const ModelConfig& c) {
  LayerSize size;
  size.attention = {c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim};
  size.attention.bias = size.attention.output_bias = c.attention_bias;
  size.attention.norm_epsilon = size.norm_epsilon = c.norm_epsilon;
  size.mlp = {c.hidden_size, c.intermediate_size, c.mlp_bias, c.hidden_act};
  return equal_layers(size);
}

// These are the keys of LlamaConfig in transformers 4.57.
ConfigKeys llama_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 32000, 1, kLargestSize},
      {"hidden_size", &ModelConfig::hidden_size, 4096, 1, kLargestSize},
      {"intermediate_size", &ModelConfig::intermediate_size, 11008, 1, kLargestSize},
      {"num_hidden_layers", &ModelConfig::num_hidden_layers, 32, 1, kLargestCount},
      {"num_attention_heads", &ModelConfig::num_attention_heads, 32, 1, kLargestCount},
      {"num_key_value_heads", &ModelConfig::num_key_value_heads, kFromOtherKeys, 1, kLargestCount},
      {"head_dim", &ModelConfig::head_dim, kFromOtherKeys, 1, kLargestCount},
      {"max_position_embeddings", &ModelConfig::max_position_embeddings, 2048, 1, INT32_MAX},
      {"rms_norm_eps", &ModelConfig::norm_epsilon, 1e-6, 0, 1},
      {"rope_theta", &ModelConfig::rope_theta, 10000, 1e-3, 1e15},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"attention_bias", &ModelConfig::attention_bias, 0, 0, 1},
      {"mlp_bias", &ModelConfig::mlp_bias, 0, 0, 1},
      {"attention_dropout", &ModelConfig::attn_pdrop, 0, 0, kMostDropped},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 0, 0, 1},
      {"bos_token_id", &ModelConfig::bos_token_id, 1, kNone, kLargestId},
      {"eos_token_id", &ModelConfig::eos_token_id, 2, kNone, kLargestId},
      {"pad_token_id", &ModelConfig::pad_token_id, kNone, kNone, kLargestId},
  };
}

}  // namespace

Architecture llama() {
  return {"llama",
          "LlamaForCausalLM",
          llama_keys(),
          {
              {"pretraining_tp", {1.0, 0.0}},
              {"hidden_dropout", {0.0}},
              {"partial_rotary_factor", {1.0}},
              {"use_bidirectional_attention", {false}},
              {"rope_interleaved", {false}},
              {"attn_logit_softcapping", {}},
              {"final_logit_softcapping", {}},
              {"quantization_config", {}},
              {"clip_qkv", {}},
              {"num_local_experts", {}},
          },
          llama_plan};
}

}  // namespace galore
