#include "export/gguf_architecture.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/errors.h"
#include "export/gguf_rope.h"

namespace galore {
namespace {

using Metadata = GgufMetadata;

void require(bool supported, const char* model_type, const std::string& setting) {
  if (!supported) fail("export", "gguf: llama.cpp has no counterpart of {} for {}", setting, model_type);
}

// llama.cpp derives the size of some architectures' projections from the hidden size.
void require_whole_heads(const ModelConfig& c) {
  require(c.head_dim * c.num_attention_heads == c.hidden_size, c.model_type.c_str(),
          fmt::format("head_dim={} with hidden_size={}", c.head_dim, c.hidden_size));
}

void require_no_biases(const ModelConfig& c) {
  require(!c.attention_bias && !c.mlp_bias, c.model_type.c_str(), "biases of the output projection");
}

// Adds the window and, by layer, whether it holds.
void add_windows(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  if (!c.sliding_window) return;
  std::vector<bool> slides;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) slides.push_back(c.is_sliding(i));
  metadata.add(prefix + "attention.sliding_window", static_cast<uint32_t>(*c.sliding_window));
  metadata.add(prefix + "attention.sliding_window_pattern", slides);
}

void add_gpt2(const std::string&, const ModelConfig& c, Metadata&) {
  require(c.scale_attn_weights, "gpt2", "scale_attn_weights=false");
  require(!c.scale_attn_by_inverse_layer_idx, "gpt2", "scale_attn_by_inverse_layer_idx=true");
}

void add_gpt_neox(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  require(c.attention_bias, "gpt_neox", "attention_bias=false");
  metadata.add(prefix + "use_parallel_residual", c.use_parallel_residual);
}

void add_qwen(const std::string&, const ModelConfig& c, Metadata&) {
  require(c.model_type == "qwen2" || !c.attention_bias, c.model_type.c_str(), "attention_bias=true");
}

void add_olmo(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  require_whole_heads(c);
  require_no_biases(c);
  add_windows(prefix, c, metadata);
  if (!c.sliding_window) return;
  require(c.local_rope_scaling.type == "default", "olmo3", "a rope_scaling of layers with a window");
  metadata.add(prefix + "rope.freq_base_swa", static_cast<float>(c.local_rope_theta));
}

void add_smollm3(const std::string&, const ModelConfig& c, Metadata&) {
  require_no_biases(c);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    require((c.no_rope_layers.at(static_cast<size_t>(i)) != 0) == ((i + 1) % 4 != 0), "smollm3",
            "no_rope_layers other than every fourth layer");
}

void add_granite(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  metadata.add(prefix + "attention.scale", static_cast<float>(c.attention_multiplier));
  metadata.add(prefix + "embedding_scale", static_cast<float>(c.embedding_multiplier));
  metadata.add(prefix + "residual_scale", static_cast<float>(c.residual_multiplier));
  metadata.add(prefix + "logit_scale", static_cast<float>(c.logits_scaling));
}

void add_ernie(const std::string&, const ModelConfig& c, Metadata&) {
  require(!c.attention_bias, "ernie4_5", "use_bias=true");
}

void add_phi3(const std::string&, const ModelConfig& c, Metadata&) { require_whole_heads(c); }

// llama.cpp takes the scale of the scores from the size of a head, or from the hidden size where the number
// of layers is that of the 27B model.
void require_gemma_scores(const ModelConfig& c, int64_t layers_of_27b) {
  const int64_t features =
      c.num_hidden_layers == layers_of_27b ? c.hidden_size / c.num_attention_heads : c.head_dim;
  require(c.query_pre_attn_scalar == features, c.model_type.c_str(),
          fmt::format("query_pre_attn_scalar={} (it takes {})", c.query_pre_attn_scalar, features));
}

void add_gemma2(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  require_gemma_scores(c, 46);
  require_no_biases(c);
  require(c.tie_word_embeddings, "gemma2", "a head of its own");
  require(c.attn_logit_softcapping && c.final_logit_softcapping, "gemma2", "missing soft caps");
  metadata.add(prefix + "attn_logit_softcapping", static_cast<float>(*c.attn_logit_softcapping));
  metadata.add(prefix + "final_logit_softcapping", static_cast<float>(*c.final_logit_softcapping));
  add_windows(prefix, c, metadata);
}

void add_gemma3(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  require_gemma_scores(c, 62);
  require_no_biases(c);
  require(c.local_rope_scaling.type == "default", "gemma3_text", "a rope_scaling of layers with a window");
  if (c.final_logit_softcapping)
    metadata.add(prefix + "final_logit_softcapping", static_cast<float>(*c.final_logit_softcapping));
  metadata.add(prefix + "rope.freq_base_swa", static_cast<float>(c.local_rope_theta));
  add_windows(prefix, c, metadata);
}

void add_qwen3_moe(const std::string& prefix, const ModelConfig& c, Metadata& metadata) {
  add_qwen(prefix, c, metadata);
  require(c.norm_topk_prob, "qwen3_moe", "norm_topk_prob=false");
  require(c.num_experts > 0 && c.decoder_sparse_step == 1 && c.mlp_only_layers.empty(), "qwen3_moe",
          "layers without experts");
  metadata.add(prefix + "expert_count", static_cast<uint32_t>(c.num_experts));
  metadata.add(prefix + "expert_used_count", static_cast<uint32_t>(c.num_experts_per_tok));
  metadata.add(prefix + "expert_feed_forward_length", static_cast<uint32_t>(c.moe_intermediate_size));
}

constexpr std::array<GgufArchitecture, 15> kArchitectures = {{
    {.model_type = "llama", .name = "llama", .neighbours = true},
    {.model_type = "mistral", .name = "llama", .neighbours = true},
    {.model_type = "qwen2", .name = "qwen2", .add = add_qwen},
    {.model_type = "qwen3", .name = "qwen3", .add = add_qwen},
    {.model_type = "qwen3_moe", .name = "qwen3moe", .add = add_qwen3_moe},
    {.model_type = "gpt2", .name = "gpt2", .add = add_gpt2},
    {.model_type = "gpt_neox", .name = "gptneox", .needs_head = true, .add = add_gpt_neox},
    {.model_type = "olmo2", .name = "olmo2", .norms_behind = true, .needs_head = true, .add = add_olmo},
    {.model_type = "olmo3", .name = "olmo2", .norms_behind = true, .needs_head = true, .add = add_olmo},
    {.model_type = "smollm3", .name = "smollm3", .neighbours = true, .add = add_smollm3},
    {.model_type = "granite", .name = "granite", .neighbours = true, .add = add_granite},
    {.model_type = "ernie4_5", .name = "ernie4_5", .add = add_ernie},
    {.model_type = "phi3", .name = "phi3", .add = add_phi3},
    {.model_type = "gemma2",
     .name = "gemma2",
     .norms_plus_one = true,
     .norms_behind = true,
     .add = add_gemma2},
    {.model_type = "gemma3_text",
     .name = "gemma3",
     .norms_plus_one = true,
     .norms_behind = true,
     .add = add_gemma3},
}};

bool has_layer_norms(const ModelConfig& c) { return c.model_type == "gpt2" || c.model_type == "gpt_neox"; }

bool computes_gelu(const ModelConfig& c) {
  return has_layer_norms(c) || c.model_type == "gemma2" || c.model_type == "gemma3_text";
}

void require_activation(const ModelConfig& c) {
  constexpr std::array<std::string_view, 4> kGelu = {"gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast"};
  const bool known = computes_gelu(c) ? std::find(kGelu.begin(), kGelu.end(), c.hidden_act) != kGelu.end()
                                      : c.hidden_act == "silu" || c.hidden_act == "swish";
  require(known, c.model_type.c_str(), "the activation " + c.hidden_act);
}

void add_gguf_sizes(const std::string& prefix, const ModelConfig& config, Metadata& metadata) {
  const auto size = [&](const char* key, int64_t value) {
    metadata.add(prefix + key, static_cast<uint32_t>(value));
  };
  size("vocab_size", config.vocab_size);
  size("context_length", config.max_position_embeddings);
  size("embedding_length", config.hidden_size);
  size("block_count", config.num_hidden_layers);
  size("feed_forward_length", config.intermediate_size);
  size("attention.head_count", config.num_attention_heads);
  const auto epsilon = static_cast<float>(config.norm_epsilon);
  metadata.add(prefix + (has_layer_norms(config) ? "attention.layer_norm_epsilon"
                                                 : "attention.layer_norm_rms_epsilon"),
               epsilon);
  if (config.model_type == "gpt2") return;
  size("attention.head_count_kv",
       config.model_type == "gpt_neox" ? config.num_attention_heads : config.num_key_value_heads);
  size("attention.key_length", config.head_dim);
  size("attention.value_length", config.head_dim);
  add_gguf_rope(prefix, config, metadata);
}

// The window of layers that llama.cpp gives none, or nothing.
std::optional<int64_t> unknown_window(const ModelConfig& c) {
  const bool everywhere = c.model_type == "mistral" || c.model_type == "phi3" || c.model_type == "qwen3_moe";
  const bool chosen = c.use_sliding_window && c.model_type != "qwen3_moe";
  if (!everywhere && !chosen) return std::nullopt;
  return c.sliding_window;
}

}  // namespace

const GgufArchitecture& gguf_architecture(const ModelConfig& config) {
  std::string known;
  for (const GgufArchitecture& row : kArchitectures) {
    if (config.model_type == row.model_type) return row;
    known += std::string(known.empty() ? "" : ", ") + row.model_type;
  }
  fail("export", "gguf: expected one of the architectures {}, given {}", known, config.model_type);
}

void add_gguf_architecture(const ModelConfig& config, GgufMetadata& metadata) {
  const GgufArchitecture& architecture = gguf_architecture(config);
  if (config.head.kind != HeadKind::language)
    fail("export", "gguf: expected a language model, given one with a head of labels or values");
  require_activation(config);
  const std::string prefix = std::string(architecture.name) + ".";
  add_gguf_sizes(prefix, config, metadata);
  if (architecture.add) architecture.add(prefix, config, metadata);
}

std::vector<std::string> gguf_notes(const ModelConfig& config) {
  std::vector<std::string> notes;
  const std::optional<int64_t> window = unknown_window(config);
  if (window && *window < config.max_position_embeddings)
    notes.push_back(
        fmt::format("llama.cpp has no sliding window for {}: its results are equal up to {} tokens",
                    config.model_type, *window));
  if (computes_gelu(config) && config.hidden_act == "gelu")
    notes.emplace_back("llama.cpp computes gelu by its tanh approximation, which differs by up to 5e-4");
  if (config.rope_scaling.type == "longrope")
    notes.emplace_back(
        "llama.cpp takes longrope's factors by the size of its context (-c), transformers by the length of "
        "the text");
  return notes;
}

}  // namespace galore
