#include "models/model_config.h"

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

struct Size {
  const char* name;
  int64_t hidden, intermediate, heads, layers, max_positions;
};

// configs/llama_*.json of the GaLore authors' repository; 3b is ours, in the same proportions.
constexpr Size kSizes[] = {{"60m", 512, 1376, 8, 8, 1024},     {"130m", 768, 2048, 12, 12, 1024},
                           {"350m", 1024, 2736, 16, 24, 1024}, {"1b", 2048, 5461, 32, 24, 2048},
                           {"3b", 2560, 6848, 32, 32, 2048},   {"7b", 4096, 11008, 32, 32, 2048}};

struct LayerCount {
  int64_t attention, mlp, biases, norms;
};

LayerCount count_layer(const ModelConfig& c) {
  const int64_t queries = c.num_attention_heads * c.head_dim, keys = c.num_key_value_heads * c.head_dim;
  LayerCount count{};
  count.attention = c.hidden_size * (2 * queries + 2 * keys);
  count.mlp = 3 * c.hidden_size * c.intermediate_size;
  count.norms = 2 * c.hidden_size;
  if (c.attention_bias) count.biases += queries + 2 * keys + c.hidden_size;
  if (c.mlp_bias) count.biases += 2 * c.intermediate_size + c.hidden_size;
  return count;
}

}  // namespace

int64_t ModelConfig::num_parameters() const {
  const LayerCount layer = count_layer(*this);
  const int64_t tables = vocab_size * hidden_size * (tie_word_embeddings ? 1 : 2);
  return tables + hidden_size +
         num_hidden_layers * (layer.attention + layer.mlp + layer.biases + layer.norms);
}

int64_t ModelConfig::num_projected_parameters() const {
  const LayerCount layer = count_layer(*this);
  return num_hidden_layers * (layer.attention + layer.mlp);
}

ModelConfig model_config_for_size(const std::string& size) {
  for (const Size& known : kSizes) {
    if (size != known.name) continue;
    ModelConfig config;
    config.hidden_size = known.hidden;
    config.intermediate_size = known.intermediate;
    config.num_hidden_layers = known.layers;
    config.num_attention_heads = config.num_key_value_heads = known.heads;
    config.head_dim = known.hidden / known.heads;
    config.max_position_embeddings = known.max_positions;
    return config;
  }
  fail_usage("model_size", "unknown size '{}', nearest is '{}'", size,
             nearest_name(size, model_size_names()));
}

std::vector<std::string> model_size_names() {
  std::vector<std::string> names;
  for (const Size& known : kSizes) names.emplace_back(known.name);
  return names;
}

}  // namespace galore
