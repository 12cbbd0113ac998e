// The settings of config.json that affect the computation, mostly under transformers' names. One struct
// serves all architectures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "heads/head_config.h"
#include "nn/rope_scaling.h"

namespace galore {

struct ModelConfig {
  std::string model_type = "llama";
  int64_t vocab_size = 32000;
  int64_t hidden_size = 512;
  int64_t intermediate_size = 1376;
  int64_t num_hidden_layers = 8;
  int64_t num_attention_heads = 8;
  int64_t num_key_value_heads = 8;
  int64_t head_dim = 64;
  int64_t max_position_embeddings = 1024;
  double norm_epsilon = 1e-6;  // epsilon of RMS norms and layer norms
  double rope_theta = 10000;
  double initializer_range = 0.02;
  RopeScaling rope_scaling;
  int64_t original_max_position_embeddings = 0;  // at config.json's top level, where it comes first (Phi-3)
  std::string hidden_act = "silu";
  // Dropout probabilities in training: for the sum of the embeddings, for the branches that blocks
  // add to the stream, and for the attention weights.
  double embd_pdrop = 0, resid_pdrop = 0, attn_pdrop = 0;
  std::optional<double> classifier_dropout;  // of encoders' heads; none: as resid_pdrop
  int64_t type_vocab_size = 0;               // token types (BERT)
  bool attention_bias = false, mlp_bias = false;
  bool tie_word_embeddings = false;
  // The share of a head's features that is rotated. In models with two rotary embeddings (Gemma 3, OLMo 3)
  // layers with a sliding window have angles of their own.
  double partial_rotary_factor = 1, local_rope_theta = 10000;
  RopeScaling local_rope_scaling;
  // For each layer, 1 if it has rotary positions and 0 if it has none; empty: all have (SmolLM3). Without a
  // list every layer whose number, counted from 1, is a multiple of the interval has none.
  std::vector<int64_t> no_rope_layers;
  int64_t no_rope_layer_interval = 4;
  // Factors of the embedding's rows and of the branches, and the divisor of the logits (Granite).
  double embedding_multiplier = 1, residual_multiplier = 1, logits_scaling = 1;
  // Attention scores are multiplied by attention_multiplier (Granite) or by 1 / sqrt(query_pre_attn_scalar)
  // (Gemma); 0: by 1 / sqrt(head_dim). GPT-2 may leave this out, and may divide by the layer's number from 1.
  double attention_multiplier = 0;
  int64_t query_pre_attn_scalar = 0;
  bool scale_attn_weights = true, scale_attn_by_inverse_layer_idx = false;
  std::optional<double> attn_logit_softcapping, final_logit_softcapping;  // (Gemma 2)
  bool use_parallel_residual = true;                                      // (GPT-NeoX)
  // Mixtures of experts stand in every decoder_sparse_step-th layer that mlp_only_layers does not name. With
  // output_router_logits, router_aux_loss_coef times the balancing loss is part of the loss.
  int64_t num_experts = 0, num_experts_per_tok = 8, moe_intermediate_size = 768, decoder_sparse_step = 1;
  bool norm_topk_prob = false, output_router_logits = false;
  double router_aux_loss_coef = 0.001;
  std::vector<int64_t> mlp_only_layers;
  // The number of positions that a query sees, its own included. In mistral it holds for all layers. In other
  // architectures it holds only if use_sliding_window is set, for the layers that layer_types names or,
  // without layer_types, for the layers from max_window_layers on.
  std::optional<int64_t> sliding_window;
  bool use_sliding_window = false;
  int64_t max_window_layers = 28;
  int64_t sliding_window_pattern = 6;  // without layer_types every n-th layer has no window (Gemma 3)
  std::vector<std::string> layer_types;
  HeadConfig head;
  std::optional<int64_t> bos_token_id, eos_token_id, pad_token_id;
  // The texts of config.json and generation_config.json from which this was read, or "". Saving the model
  // keeps their other keys.
  std::string source = "", generation_source = "";

  // Returns the sliding window of a layer in architectures that choose it by layer, or 0 if it has none.
  int64_t window_of_layer(int64_t layer) const {
    if (!use_sliding_window || !sliding_window) return 0;
    const bool slides = layer_types.empty() ? layer >= max_window_layers : is_sliding(layer);
    return slides ? *sliding_window : 0;
  }
  // Returns true if layer_types gives this layer a sliding window.
  bool is_sliding(int64_t layer) const {
    return !layer_types.empty() && layer_types.at(static_cast<size_t>(layer)) == "sliding_attention";
  }
  // num_parameters() counts all weights, and num_projected_parameters() only those in the matrices of the
  // layers (attention and MLP), which low-rank methods project.
  int64_t num_parameters() const;
  int64_t num_projected_parameters() const;
};

// Returns the configuration of a size of the GaLore paper: 60m, 130m, 350m, 1b, 3b or 7b (from the authors'
// repository, except 3b). An unknown name is a UsageError.
ModelConfig model_config_for_size(const std::string& size);
std::vector<std::string> model_size_names();

}  // namespace galore
