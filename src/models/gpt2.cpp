// GPT-2 (Radford et al., 2019): layer norms, learned positions, one matrix for queries, keys and values,
// GELU; matrices are kept as inputs x outputs, as its checkpoints have them.
#include "models/architectures.h"

namespace galore {

DecoderPlan gpt2_plan(const ModelConfig& c) {
  DecoderSize size;
  size.attention = {c.hidden_size, c.num_attention_heads, c.num_attention_heads, c.head_dim};
  size.attention.bias = size.attention.output_bias = size.attention.fused = true;
  size.mlp = {c.hidden_size, c.intermediate_size, /*bias=*/true,
              c.hidden_act == "gelu" ? Activation::gelu : Activation::gelu_tanh};
  size.norm_epsilon = c.rms_norm_eps;
  size.norm = NormKind::layer;
  size.names = {"attn", "mlp", "ln_1", "ln_2"};
  DecoderPlan plan;
  plan.embedding = "transformer.wte";
  plan.positions = "transformer.wpe";
  plan.layers = "transformer.h";
  plan.final_norm = "transformer.ln_f";
  plan.frozen_padding = false;
  plan.scaled_ending = "c_proj.weight";
  plan.layer = [size](int64_t) { return size; };
  return plan;
}

}  // namespace galore
