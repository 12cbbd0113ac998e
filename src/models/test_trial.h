// Provides small models of every architecture with all their gradients, for tests.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "models/architecture.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"

namespace galore::testing_models {

// Returns the architectures of causal language models.
inline std::vector<std::string> decoder_names() {
  std::vector<std::string> names = architecture_names();
  std::erase_if(names, [](const std::string& name) { return architecture(name).encoder; });
  return names;
}

inline void set_what_only_some_have(ModelConfig& config) {
  if (config.model_type.starts_with("gemma") || config.model_type == "olmo3") {
    config.sliding_window = 20;
    config.use_sliding_window = true;
    config.layer_types = {"sliding_attention", "full_attention", "sliding_attention"};
    config.local_rope_theta = 500;
  }
  if (config.model_type.starts_with("gemma")) config.hidden_act = "gelu_pytorch_tanh";
  if (config.model_type == "gemma2") config.attn_logit_softcapping = config.final_logit_softcapping = 5;
  if (config.model_type == "smollm3") config.no_rope_layers = {1, 0, 1};
  if (config.model_type == "granite") {
    config.embedding_multiplier = 3;
    config.residual_multiplier = 0.5;
    config.attention_multiplier = 0.3;
    config.logits_scaling = 2;
  }
  if (config.model_type == "qwen3_moe") {
    config.num_experts = 5;
    config.num_experts_per_tok = 2;
    config.moe_intermediate_size = 24;
    config.mlp_only_layers = {1};
    config.norm_topk_prob = true;
  }
  if (config.model_type == "gpt_neox") config.partial_rotary_factor = 0.5;
}

// Returns a small configuration of each architecture. Windows, multipliers and the like are in use.
inline ModelConfig small_config(const std::string& model_type = "llama") {
  ModelConfig config;
  config.model_type = model_type;
  config.hidden_act = model_type == "gpt2" ? "gelu_new" : "silu";
  config.tie_word_embeddings = model_type == "gpt2" || model_type == "qwen3";
  if (model_type == "mistral" || model_type == "qwen2") config.sliding_window = 20;
  config.use_sliding_window = model_type == "qwen2";
  config.max_window_layers = 1;
  config.vocab_size = 101;
  config.hidden_size = 48;
  config.intermediate_size = 80;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = model_type == "gpt2" || model_type == "gpt_neox" ? 4 : 2;
  config.head_dim = 12;
  config.initializer_range = 0.1;
  set_what_only_some_have(config);
  return config;
}

inline at::Tensor some_ids() { return at::arange(2 * 70, at::kLong).mul(37).remainder(101).view({2, 70}); }

inline at::Tensor some_labels() {
  at::Tensor labels = some_ids().clone();
  labels.narrow(1, 5, 9).fill_(-100);
  return labels;
}

struct Trial {
  explicit Trial(const ModelOptions& options, at::Device device = at::kCPU,
                 const ModelConfig& config = small_config())
      : ledger(device), model(make_causal_lm(config, options, ledger)) {
    model->initialize(7);
    collector = std::make_unique<GradientCollector>(model->parameters(), ledger, options.compute_dtype);
  }
  LossSum step() {
    collector->clear();
    return model->train_step(some_ids(), some_labels(), 0.01);
  }

  Ledger ledger;
  std::unique_ptr<CausalLM> model;
  std::unique_ptr<GradientCollector> collector;
};

}  // namespace galore::testing_models
