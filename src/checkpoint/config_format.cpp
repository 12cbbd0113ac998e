#include "checkpoint/config_format.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "checkpoint/hugging_face.h"

namespace galore {
namespace {

using Keys = std::vector<ConfigKey>;
constexpr double kMostDropped = 0.999;
constexpr double kLargestSize = 1 << 27, kLargestCount = 1 << 16, kLargestId = INT32_MAX;

// Of LlamaConfig, transformers 4.57.
Keys llama_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 32000, 1, kLargestSize},
      {"hidden_size", &ModelConfig::hidden_size, 4096, 1, kLargestSize},
      {"intermediate_size", &ModelConfig::intermediate_size, 11008, 1, kLargestSize},
      {"num_hidden_layers", &ModelConfig::num_hidden_layers, 32, 1, kLargestCount},
      {"num_attention_heads", &ModelConfig::num_attention_heads, 32, 1, kLargestCount},
      {"num_key_value_heads", &ModelConfig::num_key_value_heads, kFromOthers, 1, kLargestCount},
      {"head_dim", &ModelConfig::head_dim, kFromOthers, 1, kLargestCount},
      {"max_position_embeddings", &ModelConfig::max_position_embeddings, 2048, 1, INT32_MAX},
      {"rms_norm_eps", &ModelConfig::rms_norm_eps, 1e-6, 0, 1},
      {"rope_theta", &ModelConfig::rope_theta, 10000, 1e-3, 1e15},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"attention_bias", &ModelConfig::attention_bias, 0, 0, 1},
      {"mlp_bias", &ModelConfig::mlp_bias, 0, 0, 1},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 0, 0, 1},
      {"bos_token_id", &ModelConfig::bos_token_id, 1, kNone, kLargestId},
      {"eos_token_id", &ModelConfig::eos_token_id, 2, kNone, kLargestId},
      {"pad_token_id", &ModelConfig::pad_token_id, kNone, kNone, kLargestId},
  };
}

Keys with_default(Keys keys, const std::string& name, double fallback) {
  for (ConfigKey& key : keys)
    if (key.name == name) key.fallback = fallback;
  return keys;
}

Keys without(Keys keys, const std::string& name) {
  std::erase_if(keys, [&](const ConfigKey& key) { return key.name == name; });
  return keys;
}

Keys mistral_keys() {
  Keys keys = without(without(llama_keys(), "attention_bias"), "mlp_bias");
  keys = with_default(std::move(keys), "intermediate_size", 14336);
  keys = with_default(std::move(keys), "num_key_value_heads", 8);
  keys = with_default(std::move(keys), "max_position_embeddings", 131072);
  keys.push_back({"sliding_window", &ModelConfig::sliding_window, 4096, 1, INT32_MAX});
  return keys;
}

Keys qwen2_keys() {
  Keys keys = without(without(llama_keys(), "attention_bias"), "mlp_bias");
  keys = with_default(std::move(keys), "vocab_size", 151936);
  keys = with_default(std::move(keys), "intermediate_size", 22016);
  keys = with_default(std::move(keys), "num_key_value_heads", 32);
  keys = with_default(std::move(keys), "max_position_embeddings", 32768);
  for (const char* id : {"bos_token_id", "eos_token_id"}) keys = with_default(std::move(keys), id, kNone);
  keys.push_back({"use_sliding_window", &ModelConfig::use_sliding_window, 0, 0, 1});
  keys.push_back({"sliding_window", &ModelConfig::sliding_window, 4096, 1, INT32_MAX});
  keys.push_back({"max_window_layers", &ModelConfig::max_window_layers, 28, 0, INT32_MAX});
  return keys;
}

Keys qwen3_keys() {
  Keys keys = with_default(qwen2_keys(), "head_dim", 128);
  keys.push_back({"attention_bias", &ModelConfig::attention_bias, 0, 0, 1});
  return keys;
}

Keys gpt2_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 50257, 1, kLargestSize},
      {"n_embd", &ModelConfig::hidden_size, 768, 1, kLargestSize},
      {"n_inner", &ModelConfig::intermediate_size, kFromOthers, 1, kLargestSize},
      {"n_layer", &ModelConfig::num_hidden_layers, 12, 1, kLargestCount},
      {"n_head", &ModelConfig::num_attention_heads, 12, 1, kLargestCount},
      {"n_positions", &ModelConfig::max_position_embeddings, 1024, 1, kLargestSize},
      {"layer_norm_epsilon", &ModelConfig::rms_norm_eps, 1e-5, 0, 1},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"embd_pdrop", &ModelConfig::embd_pdrop, 0.1, 0, kMostDropped},
      {"resid_pdrop", &ModelConfig::resid_pdrop, 0.1, 0, kMostDropped},
      {"attn_pdrop", &ModelConfig::attn_pdrop, 0.1, 0, kMostDropped},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 1, 0, 1},
      {"bos_token_id", &ModelConfig::bos_token_id, 50256, kNone, kLargestId},
      {"eos_token_id", &ModelConfig::eos_token_id, 50256, kNone, kLargestId},
      {"pad_token_id", &ModelConfig::pad_token_id, kNone, kNone, kLargestId},
  };
}

std::vector<ConfigRequirement> llama_requirements() {
  return {
      {"pretraining_tp", {1, 0}},
      {"attention_dropout", {0}},
      {"hidden_dropout", {0}},
      {"partial_rotary_factor", {1}},
      {"use_bidirectional_attention", {false}},
      {"rope_interleaved", {false}},
      {"attn_logit_softcapping", {}},
      {"final_logit_softcapping", {}},
      {"quantization_config", {}},
      {"clip_qkv", {}},
      {"num_local_experts", {}},
  };
}

std::vector<ConfigRequirement> gpt2_requirements() {
  return {
      {"scale_attn_weights", {true}},
      {"scale_attn_by_inverse_layer_idx", {false}},
      {"add_cross_attention", {false}},
      {"quantization_config", {}},
  };
}

const std::vector<ConfigFormat>& formats() {
  using Windows = ConfigFormat::Windows;
  static const std::vector<ConfigFormat> all = [] {
    const std::vector<std::string> silu{"silu", "swish"};
    std::vector<ConfigFormat> list;
    list.push_back({"llama", "LlamaForCausalLM", llama_keys(), llama_requirements()});
    list.push_back({"mistral", "MistralForCausalLM", mistral_keys(), llama_requirements(), "hidden_act", silu,
                    true, Windows::all});
    list.push_back({"qwen2", "Qwen2ForCausalLM", qwen2_keys(), llama_requirements(), "hidden_act", silu, true,
                    Windows::some});
    list.push_back({"qwen3", "Qwen3ForCausalLM", qwen3_keys(), llama_requirements(), "hidden_act", silu, true,
                    Windows::some});
    list.push_back({"gpt2",
                    "GPT2LMHeadModel",
                    gpt2_keys(),
                    gpt2_requirements(),
                    "activation_function",
                    {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu"},
                    false});
    return list;
  }();
  return all;
}

}  // namespace

std::vector<std::string> known_model_types() {
  std::vector<std::string> names;
  for (const ConfigFormat& known : formats()) names.emplace_back(known.model_type);
  return names;
}

const ConfigFormat& config_format(const std::string& where, const std::string& model_type) {
  for (const ConfigFormat& known : formats())
    if (model_type == known.model_type) return known;
  fail("config", "{}: model_type '{}' is not supported; known: {}", where, model_type.substr(0, 60),
       fmt::join(known_model_types(), ", "));
}

}  // namespace galore
