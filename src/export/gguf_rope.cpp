#include "export/gguf_rope.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/errors.h"

namespace galore {
namespace {

int64_t rotated_features(const ModelConfig& config) {
  return static_cast<int64_t>(static_cast<double>(config.head_dim) * config.partial_rotary_factor);
}

// The top level comes first, as for Phi-3 in transformers.
int64_t original_positions(const ModelConfig& config) {
  if (config.original_max_position_embeddings > 0) return config.original_max_position_embeddings;
  const int64_t inside = config.rope_scaling.original_max_position_embeddings;
  return inside > 0 ? inside : config.max_position_embeddings;
}

// True if llama.cpp's factor of the attention scores, 0.1 ln(factor) + 1, is the configuration's.
bool is_plain_yarn(const RopeScaling& rope) {
  constexpr double kRounding = 1e-6;  // of a number that config.json states in decimal digits
  const double plain = 0.1 * std::log(rope.factor) + 1;
  const bool same_factor =
      rope.attention_factor == 0 || std::abs(rope.attention_factor - plain) < kRounding * plain;
  return same_factor && rope.mscale == 0 && rope.mscale_all_dim == 0 && rope.truncate;
}

bool reads_divisors(const ModelConfig& config) {
  constexpr const char* kReaders[] = {"llama", "mistral", "granite"};
  return std::find(std::begin(kReaders), std::end(kReaders), config.model_type) != std::end(kReaders);
}

bool has_counterpart(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  if (rope.type == "default" || rope.type == "linear") return true;
  if (rope.type == "llama3") return reads_divisors(config);
  if (rope.type == "longrope") return config.model_type == "phi3";
  return rope.type == "yarn" && is_plain_yarn(rope) && config.model_type != "gemma3_text";
}

void add_longrope(const std::string& prefix, const ModelConfig& config, GgufMetadata& metadata) {
  const RopeScaling& rope = config.rope_scaling;
  const auto original = static_cast<double>(original_positions(config));
  const double factor =
      rope.factor > 0 ? rope.factor : static_cast<double>(config.max_position_embeddings) / original;
  const double derived = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original));
  const double attention = rope.attention_factor > 0 ? rope.attention_factor : derived;
  metadata.add(prefix + "rope.scaling.attn_factor", static_cast<float>(attention));
  metadata.add(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
}

GgufTensor row(const std::string& name, const std::vector<float>& numbers) {
  GgufTensor tensor{name, {static_cast<int64_t>(numbers.size())}, GgufType::f32, {}};
  tensor.write = [numbers](const auto& take) { take(gguf_encoded(GgufType::f32, at::tensor(numbers))); };
  return tensor;
}

std::vector<float> llama3_divisors(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  const auto original = static_cast<double>(original_positions(config));
  std::vector<float> divisors;
  for (int64_t i = 0; i < config.head_dim / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    const double turns = original / (2 * std::numbers::pi * std::pow(config.rope_theta, exponent));
    const double smooth =
        std::clamp((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - smooth) / rope.factor + smooth)));
  }
  return divisors;
}

}  // namespace

void add_gguf_rope(const std::string& prefix, const ModelConfig& config, GgufMetadata& metadata) {
  const RopeScaling& rope = config.rope_scaling;
  if (!has_counterpart(config))
    fail("export", "gguf: llama.cpp has no counterpart of this rope_scaling of type {} for {}", rope.type,
         config.model_type);
  metadata.add(prefix + "rope.dimension_count", static_cast<uint32_t>(rotated_features(config)));
  metadata.add(prefix + "rope.freq_base", static_cast<float>(config.rope_theta));
  if (rope.type == "longrope") return add_longrope(prefix, config, metadata);
  if (rope.type == "default" || rope.type == "llama3") return;  // llama3: divisors among the tensors
  metadata.add(prefix + "rope.scaling.type", rope.type);
  metadata.add(prefix + "rope.scaling.factor", static_cast<float>(rope.factor));
  if (rope.type == "linear") return;
  metadata.add(prefix + "rope.scaling.original_context_length",
               static_cast<uint32_t>(original_positions(config)));
  metadata.add(prefix + "rope.scaling.yarn_beta_fast", static_cast<float>(rope.beta_fast));
  metadata.add(prefix + "rope.scaling.yarn_beta_slow", static_cast<float>(rope.beta_slow));
}

std::vector<GgufTensor> gguf_rope_tensors(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  if (rope.type == "llama3") return {row("rope_freqs.weight", llama3_divisors(config))};
  if (rope.type != "longrope") return {};
  return {row("rope_factors_long.weight", {rope.long_factor.begin(), rope.long_factor.end()}),
          row("rope_factors_short.weight", {rope.short_factor.begin(), rope.short_factor.end()})};
}

}  // namespace galore
