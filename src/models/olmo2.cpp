// OLMo 2 (Team OLMo, 2024): LLaMA with norms behind the branches instead of before them, and with norms of
// all queries and all keys of a token.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan olmo2_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.head_norms = HeadNorms::whole;
  size.input_norm = size.middle_norm = "";
  size.attention.branch = with_norm("post_attention_layernorm", size);
  size.mlp.branch = with_norm("post_feedforward_layernorm", size);
  return equal_layers(size);
}

}  // namespace

Architecture olmo2() {
  Architecture made = llama();
  made.model_type = "olmo2";
  made.class_name = "Olmo2ForCausalLM";
  made.keys = without(without(made.keys, "mlp_bias"), "head_dim");
  made.keys = with_default(made.keys, "vocab_size", 50304);
  made.keys = with_default(made.keys, "rms_norm_eps", 1e-5);
  made.keys = with_default(made.keys, "bos_token_id", kNone);
  made.keys = with_default(made.keys, "eos_token_id", 50279);
  made.keys = with_default(made.keys, "pad_token_id", 1);
  made.plan = olmo2_plan;
  return made;
}

}  // namespace galore
