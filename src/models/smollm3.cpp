// SmolLM3 (Hugging Face, 2025): LLaMA without rotary positions in every fourth layer (Yang et al., "RoPE to
// NoPE and back again", 2025).
#include "core/errors.h"
#include "models/architecture.h"

namespace galore {
namespace {

bool has_rotary(const ModelConfig& c, int64_t layer) {
  return c.no_rope_layers.empty() || c.no_rope_layers.at(static_cast<size_t>(layer)) != 0;
}

TransformerPlan smollm3_plan(const ModelConfig& c) {
  TransformerPlan plan = with_windows(llama().plan(c), c);
  plan.layer = [layer = plan.layer, c](int64_t i) {
    LayerSize size = layer(i);
    if (!has_rotary(c, i)) size.rotary = kNoRotary;
    return size;
  };
  return plan;
}

void complete_smollm3(ModelConfig& c) {
  if (c.no_rope_layers.empty())
    for (int64_t i = 1; i <= c.num_hidden_layers; ++i)
      c.no_rope_layers.push_back(i % c.no_rope_layer_interval != 0);
  if (static_cast<int64_t>(c.no_rope_layers.size()) < c.num_hidden_layers)
    fail("config.json", "no_rope_layers has {} numbers, num_hidden_layers says {}", c.no_rope_layers.size(),
         c.num_hidden_layers);
  for (int64_t i = 0; static_cast<int64_t>(c.layer_types.size()) < c.num_hidden_layers; ++i)
    c.layer_types.emplace_back(c.use_sliding_window && c.sliding_window && !has_rotary(c, i)
                                   ? "sliding_attention"
                                   : "full_attention");
}

}  // namespace

Architecture smollm3() {
  Architecture made = llama();
  made.model_type = "smollm3";
  made.class_name = "SmolLM3ForCausalLM";
  made.keys = with_default(made.keys, "vocab_size", 128256);
  made.keys = with_default(made.keys, "hidden_size", 2048);
  made.keys = with_default(made.keys, "num_hidden_layers", 36);
  made.keys = with_default(made.keys, "num_attention_heads", 16);
  made.keys = with_default(made.keys, "num_key_value_heads", 4);
  made.keys = with_default(made.keys, "max_position_embeddings", 32768);
  made.keys = with_default(made.keys, "rope_theta", 2e6);
  made.keys = with_default(made.keys, "tie_word_embeddings", 1);
  made.keys = with_default(made.keys, "bos_token_id", 128000);
  made.keys = with_default(made.keys, "eos_token_id", 128001);
  made.keys = with_default(made.keys, "pad_token_id", 128004);
  made.keys.push_back({"use_sliding_window", &ModelConfig::use_sliding_window, 0, 0, 1});
  made.keys.push_back({"sliding_window", &ModelConfig::sliding_window, kNone, 1, INT32_MAX});
  made.keys.push_back({"no_rope_layers", &ModelConfig::no_rope_layers, 0, 0, 1});
  made.keys.push_back({"no_rope_layer_interval", &ModelConfig::no_rope_layer_interval, 4, 1, kLargestCount});
  made.plan = smollm3_plan;
  made.windows = Windows::some;
  made.complete = complete_smollm3;
  return made;
}

}  // namespace galore
