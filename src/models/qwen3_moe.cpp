// Qwen3-MoE (Yang et al., 2025): Qwen3 whose MLPs are mixtures of experts, in all layers or some.
#include <algorithm>

#include "models/architecture.h"

namespace galore {
namespace {

bool has_experts(const ModelConfig& c, int64_t layer) {
  const auto& dense = c.mlp_only_layers;
  return c.num_experts > 0 && (layer + 1) % c.decoder_sparse_step == 0 &&
         std::find(dense.begin(), dense.end(), layer) == dense.end();
}

TransformerPlan qwen3_moe_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.head_norms = HeadNorms::per_head;
  size.attention.window = c.sliding_window.value_or(0);
  TransformerPlan plan;
  plan.layer = [size, c](int64_t i) {
    LayerSize own = size;
    if (!has_experts(c, i)) return own;
    own.mlp.intermediate = c.moe_intermediate_size;
    own.mlp.experts = {c.num_experts, c.num_experts_per_tok, c.norm_topk_prob};
    return own;
  };
  return plan;
}

void complete_qwen3_moe(ModelConfig& c) {
  if (!c.use_sliding_window) c.sliding_window.reset();
}

}  // namespace

Architecture qwen3_moe() {
  Architecture made = qwen3();
  made.model_type = "qwen3_moe";
  made.class_name = "Qwen3MoeForCausalLM";
  for (const char* other : {"max_window_layers", "head_dim"}) made.keys = without(made.keys, other);
  made.keys = with_default(made.keys, "hidden_size", 2048);
  made.keys = with_default(made.keys, "intermediate_size", 6144);
  made.keys = with_default(made.keys, "num_hidden_layers", 24);
  made.keys = with_default(made.keys, "num_key_value_heads", 4);
  const ConfigKeys own{
      {"head_dim", &ModelConfig::head_dim, kFromOtherKeys, 1, kLargestCount},
      {"moe_intermediate_size", &ModelConfig::moe_intermediate_size, 768, 1, kLargestSize},
      {"num_experts", &ModelConfig::num_experts, 128, 0, kLargestCount},
      {"num_experts_per_tok", &ModelConfig::num_experts_per_tok, 8, 1, kLargestCount},
      {"norm_topk_prob", &ModelConfig::norm_topk_prob, 0, 0, 1},
      {"output_router_logits", &ModelConfig::output_router_logits, 0, 0, 1},
      {"router_aux_loss_coef", &ModelConfig::router_aux_loss_coef, 0.001, 0, kLargestFactor},
      {"decoder_sparse_step", &ModelConfig::decoder_sparse_step, 1, 1, kLargestCount},
      {"mlp_only_layers", &ModelConfig::mlp_only_layers, 0, 0, kLargestCount},
  };
  made.keys.insert(made.keys.end(), own.begin(), own.end());
  made.requirements = without(made.requirements, "num_local_experts");
  made.aliases = {{"num_local_experts", "num_experts"}};
  made.plan = qwen3_moe_plan;
  made.windows = Windows::all;
  made.complete = complete_qwen3_moe;
  return made;
}

}  // namespace galore
