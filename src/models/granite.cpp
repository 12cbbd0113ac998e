// Granite 3 (IBM, 2024): LLaMA with multipliers of embedding, branches, attention scores and logits.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan granite_plan(const ModelConfig& c) {
  LayerSize size = llama().plan(c).layer(0);
  size.attention.scores.scale = c.attention_multiplier;
  size.attention.branch.multiplier = size.mlp.branch.multiplier = c.residual_multiplier;
  TransformerPlan plan = equal_layers(size);
  plan.embedding_multiplier = c.embedding_multiplier;
  plan.logits.divisor = c.logits_scaling;
  return plan;
}

}  // namespace

Architecture granite() {
  constexpr double kSmallestFactor = 1e-9;
  Architecture made = llama();
  made.model_type = "granite";
  made.class_name = "GraniteForCausalLM";
  for (const auto& [name, member] : {std::pair{"embedding_multiplier", &ModelConfig::embedding_multiplier},
                                     std::pair{"residual_multiplier", &ModelConfig::residual_multiplier},
                                     std::pair{"attention_multiplier", &ModelConfig::attention_multiplier},
                                     std::pair{"logits_scaling", &ModelConfig::logits_scaling}})
    made.keys.push_back({name, member, 1, kSmallestFactor, kLargestFactor});
  made.plan = granite_plan;
  return made;
}

}  // namespace galore
