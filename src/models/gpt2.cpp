// GPT-2 (Radford et al., 2019): layer norms, learned positions, GELU, and one matrix for queries, keys and
// values. Matrices are stored as inputs x outputs, as its checkpoints have them.
#include <cmath>

#include "models/architecture.h"

namespace galore {
namespace {

// Returns 0 for the usual scale. reorder_and_upcast_attn computes the same in another order, in fp32, as
// attention always does here.
double gpt2_score_scale(const ModelConfig& c, int64_t layer) {
  if (c.scale_attn_weights && !c.scale_attn_by_inverse_layer_idx) return 0;
  const double scale = c.scale_attn_weights ? 1 / std::sqrt(static_cast<double>(c.head_dim)) : 1;
  return c.scale_attn_by_inverse_layer_idx ? scale / static_cast<double>(layer + 1) : scale;
}

TransformerPlan gpt2_plan(const ModelConfig& c) {
  LayerSize size;
  size.attention = {c.hidden_size, c.num_attention_heads, c.num_attention_heads, c.head_dim};
  size.attention.bias = size.attention.output_bias = size.attention.inputs_first = true;
  size.attention.fused = "attn.c_attn";
  size.attention.output = "attn.c_proj";
  size.mlp = {c.hidden_size,        c.intermediate_size, /*bias=*/true, c.hidden_act, /*gated=*/false,
              /*inputs_first=*/true};
  size.mlp.up = "mlp.c_fc";
  size.mlp.down = "mlp.c_proj";
  size.norm_epsilon = c.norm_epsilon;
  size.norm = NormKind::layer;
  size.input_norm = "ln_1";
  size.middle_norm = "ln_2";
  TransformerPlan plan = equal_layers(size);
  plan.embedding = "transformer.wte";
  plan.positions = "transformer.wpe";
  plan.layers = "transformer.h";
  plan.final_norm = "transformer.ln_f";
  plan.frozen_padding = false;
  plan.scaled_ending = "c_proj.weight";
  plan.layer = [size, c](int64_t layer) {
    LayerSize own = size;
    own.attention.scores.scale = gpt2_score_scale(c, layer);
    return own;
  };
  return plan;
}

// These are the keys of GPT2Config in transformers 4.57.
ConfigKeys gpt2_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 50257, 1, kLargestSize},
      {"n_embd", &ModelConfig::hidden_size, 768, 1, kLargestSize},
      {"n_inner", &ModelConfig::intermediate_size, kFromOtherKeys, 1, kLargestSize},
      {"n_layer", &ModelConfig::num_hidden_layers, 12, 1, kLargestCount},
      {"n_head", &ModelConfig::num_attention_heads, 12, 1, kLargestCount},
      {"n_positions", &ModelConfig::max_position_embeddings, 1024, 1, kLargestSize},
      {"layer_norm_epsilon", &ModelConfig::norm_epsilon, 1e-5, 0, 1},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"embd_pdrop", &ModelConfig::embd_pdrop, 0.1, 0, kMostDropped},
      {"resid_pdrop", &ModelConfig::resid_pdrop, 0.1, 0, kMostDropped},
      {"attn_pdrop", &ModelConfig::attn_pdrop, 0.1, 0, kMostDropped},
      {"scale_attn_weights", &ModelConfig::scale_attn_weights, 1, 0, 1},
      {"scale_attn_by_inverse_layer_idx", &ModelConfig::scale_attn_by_inverse_layer_idx, 0, 0, 1},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 1, 0, 1},
      {"bos_token_id", &ModelConfig::bos_token_id, 50256, kNone, kLargestId},
      {"eos_token_id", &ModelConfig::eos_token_id, 50256, kNone, kLargestId},
      {"pad_token_id", &ModelConfig::pad_token_id, kNone, kNone, kLargestId},
  };
}

}  // namespace

Architecture gpt2() {
  return {"gpt2",
          "GPT2LMHeadModel",
          gpt2_keys(),
          {
              {"add_cross_attention", {false}},
              {"quantization_config", {}},
          },
          gpt2_plan,
          "activation_function",
          "gelu_new",
          /*rotary=*/false};
}

}  // namespace galore
