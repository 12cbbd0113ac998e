// The parameters of a small llama without the model, for tests.
#pragma once

#include <ATen/ATen.h>

#include <deque>
#include <string>

#include "core/parameter.h"
#include "models/model_config.h"

namespace galore {

inline ModelConfig tiny_config() {
  ModelConfig config;
  config.vocab_size = 48;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 4;
  config.max_position_embeddings = 32;
  config.bos_token_id = 1;
  config.eos_token_id = 2;
  return config;
}

class TinyParameters {
 public:
  // Draws the values from `seed`. On the `meta` device there are no values.
  explicit TinyParameters(const ModelConfig& config, at::ScalarType dtype = at::kFloat, uint64_t seed = 1,
                          at::Device device = at::kCPU)
      : options_(at::TensorOptions().dtype(dtype).device(device)) {
    at::manual_seed(seed);
    const int64_t h = config.hidden_size, inner = config.intermediate_size;
    const int64_t q = config.num_attention_heads * config.head_dim;
    const int64_t kv = config.num_key_value_heads * config.head_dim;
    add("model.embed_tokens.weight", {config.vocab_size, h}, Role::embedding);
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
      const std::string layer = "model.layers." + std::to_string(i) + ".";
      add(layer + "self_attn.q_proj.weight", {q, h});
      add(layer + "self_attn.k_proj.weight", {kv, h});
      add(layer + "self_attn.v_proj.weight", {kv, h});
      add(layer + "self_attn.o_proj.weight", {h, q});
      add(layer + "mlp.gate_proj.weight", {inner, h});
      add(layer + "mlp.up_proj.weight", {inner, h});
      add(layer + "mlp.down_proj.weight", {h, inner});
      add(layer + "input_layernorm.weight", {h});
      add(layer + "post_attention_layernorm.weight", {h});
    }
    add("model.norm.weight", {h});
    if (!config.tie_word_embeddings) add("lm_head.weight", {config.vocab_size, h}, Role::head);
  }

  void add(const std::string& name, at::IntArrayRef shape, Role role = Role::matrix) {
    const at::Tensor value =
        options_.device().is_meta() ? at::empty(shape, options_) : at::randn(shape).to(options_);
    Parameter& added = owned_.emplace_back();
    added.name = name;
    added.role = role;
    added.value = value;
  }

  ParameterList list() {
    ParameterList parameters;
    for (Parameter& parameter : owned_) parameters.push_back(&parameter);
    return parameters;
  }
  Parameter& operator[](const std::string& name) {
    for (Parameter& parameter : owned_)
      if (parameter.name == name) return parameter;
    throw std::out_of_range(name);
  }
  bool equal(TinyParameters& other) {
    for (Parameter& parameter : owned_)
      if (!at::equal(parameter.value, other[parameter.name].value)) return false;
    return true;
  }

 private:
  at::TensorOptions options_;
  std::deque<Parameter> owned_;
};

}  // namespace galore
