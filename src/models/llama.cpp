// LLaMA (Touvron et al., 2023): RMS norms, rotary positions, SwiGLU and, in later versions, grouped key and
// value heads.
#include "models/architectures.h"

namespace galore {

DecoderPlan llama_plan(const ModelConfig& c) {
  DecoderSize size;
  size.attention = {c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim};
  size.attention.bias = size.attention.output_bias = c.attention_bias;
  size.attention.norm_epsilon = size.norm_epsilon = c.rms_norm_eps;
  size.mlp = {c.hidden_size, c.intermediate_size, c.mlp_bias};
  DecoderPlan plan;
  plan.layer = [size](int64_t) { return size; };
  return plan;
}

}  // namespace galore
