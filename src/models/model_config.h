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
  std::string hidden_act = "silu";
  // Dropout probabilities in training (GPT-2): for the sum of the embeddings, for the branches that blocks
  // add to the stream, and for the attention weights.
  double embd_pdrop = 0, resid_pdrop = 0, attn_pdrop = 0;
  bool attention_bias = false, mlp_bias = false;
  bool tie_word_embeddings = false;
  // The number of positions that a query sees, its own included. In mistral it holds for all layers. In qwen2
  // and qwen3 it holds only if use_sliding_window is set, for the layers that layer_types names or, without
  // layer_types, for the layers from max_window_layers on.
  std::optional<int64_t> sliding_window;
  bool use_sliding_window = false;
  int64_t max_window_layers = 28;
  std::vector<std::string> layer_types;
  HeadConfig head;
  std::optional<int64_t> bos_token_id, eos_token_id, pad_token_id;
  // The texts of config.json and generation_config.json from which this was read, or "". Saving the model
  // keeps their other keys.
  std::string source = "", generation_source = "";

  // Returns the sliding window of a layer of qwen2 or qwen3, or 0 if it has none.
  int64_t window_of_layer(int64_t layer) const {
    if (!use_sliding_window || !sliding_window) return 0;
    const bool slides = layer_types.empty()
                            ? layer >= max_window_layers
                            : layer_types.at(static_cast<size_t>(layer)) == "sliding_attention";
    return slides ? *sliding_window : 0;
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
