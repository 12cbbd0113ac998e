#include "models/architecture.h"

#include <fmt/ranges.h>

#include "core/errors.h"

namespace galore {
namespace {

const std::vector<Architecture>& architectures() {
#define GALORE_CALL_ARCHITECTURE(name) name(),
  static const std::vector<Architecture> all{GALORE_ARCHITECTURES(GALORE_CALL_ARCHITECTURE)};
#undef GALORE_CALL_ARCHITECTURE
  return all;
}

}  // namespace

const Architecture* find_architecture(const std::string& model_type) {
  for (const Architecture& known : architectures())
    if (model_type == known.model_type) return &known;
  return nullptr;
}

const Architecture& architecture(const std::string& model_type) {
  if (const Architecture* found = find_architecture(model_type)) return *found;
  fail("config.json", "model_type is one of: {}; given '{}'", fmt::join(architecture_names(), ", "),
       model_type);
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& known : architectures()) names.emplace_back(known.model_type);
  return names;
}

ConfigKeys with_default(ConfigKeys keys, const std::string& name, double fallback) {
  for (ConfigKey& key : keys)
    if (key.name == name) key.fallback = fallback;
  return keys;
}

ConfigKeys without(ConfigKeys keys, const std::string& name) {
  std::erase_if(keys, [&](const ConfigKey& key) { return key.name == name; });
  return keys;
}

std::vector<ConfigRequirement> without(std::vector<ConfigRequirement> requirements, const std::string& name) {
  std::erase_if(requirements, [&](const ConfigRequirement& requirement) { return requirement.name == name; });
  return requirements;
}

bool is_encoder(const ModelConfig& config) { return architecture(config.model_type).encoder; }

std::optional<int64_t> learned_positions(const ModelConfig& config) {
  const TransformerPlan plan = architecture(config.model_type).plan(config);
  if (plan.positions.empty()) return std::nullopt;
  const int64_t skipped = plan.positions_skip_padding && config.pad_token_id ? *config.pad_token_id + 1 : 0;
  return config.max_position_embeddings - skipped;
}

RotaryOptions rotary_options(const ModelConfig& c) {
  const auto rotated = static_cast<int64_t>(static_cast<double>(c.head_dim) * c.partial_rotary_factor);
  RotaryOptions options{rotated, c.rope_theta, c.max_position_embeddings, c.rope_scaling};
  if (c.original_max_position_embeddings > 0)
    options.scaling.original_max_position_embeddings = c.original_max_position_embeddings;
  return options;
}

RotaryOptions local_rotary_options(const ModelConfig& c) {
  RotaryOptions options = rotary_options(c);
  options.theta = c.local_rope_theta;
  options.scaling = c.local_rope_scaling;
  return options;
}

void complete_layer_types(ModelConfig& config, int64_t pattern) {
  config.use_sliding_window = config.sliding_window.has_value();
  for (int64_t i = 1; config.layer_types.size() < static_cast<size_t>(config.num_hidden_layers); ++i)
    config.layer_types.emplace_back(i % pattern != 0 && config.use_sliding_window ? "sliding_attention"
                                                                                  : "full_attention");
}

BranchSize with_norm(const std::string& name, const LayerSize& size) {
  return {name, {size.attention.hidden, size.norm_epsilon, size.norm}};
}

TransformerPlan equal_layers(const LayerSize& size) {
  TransformerPlan plan;
  plan.layer = [size](int64_t) { return size; };
  return plan;
}

TransformerPlan encoder_plan(const std::string& layers, const LayerSize& size, const ModelConfig& config) {
  TransformerPlan plan;
  plan.layers = layers;
  plan.layer = [size](int64_t layer) {
    LayerSize own = size;
    if (layer == 0) own.input_norm = "";
    return own;
  };
  plan.final_norm = layers + "." + std::to_string(config.num_hidden_layers - 1) + "." + size.input_norm;
  plan.bidirectional = true;
  return plan;
}

TransformerPlan with_windows(TransformerPlan plan, const ModelConfig& config) {
  plan.layer = [layer = plan.layer, config](int64_t i) {
    LayerSize size = layer(i);
    size.attention.window = config.window_of_layer(i);
    return size;
  };
  return plan;
}

}  // namespace galore
