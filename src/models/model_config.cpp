#include "models/model_config.h"

#include "core/errors.h"
#include "core/options.h"
#include "models/trainable_model.h"

namespace galore {
namespace {

struct Size {
  const char* name;
  int64_t hidden, intermediate, heads, layers, max_positions;
};

// These are configs/llama_*.json of the GaLore authors' repository; 3b is ours, with the same proportions.
constexpr Size kSizes[] = {{"60m", 512, 1376, 8, 8, 1024},     {"130m", 768, 2048, 12, 12, 1024},
                           {"350m", 1024, 2736, 16, 24, 1024}, {"1b", 2048, 5461, 32, 24, 2048},
                           {"3b", 2560, 6848, 32, 32, 2048},   {"7b", 4096, 11008, 32, 32, 2048}};

// Counts the weights that `counts` accepts in a model on a device without memory.
template <typename Counts>
int64_t count_weights(const ModelConfig& config, const Counts& counts) {
  Ledger ledger(at::kMeta);
  const auto model = make_model(config, {}, ledger);
  int64_t sum = 0;
  for (const Parameter* parameter : model->parameters())
    if (counts(*parameter)) sum += parameter->numel();
  return sum;
}

}  // namespace

int64_t ModelConfig::num_parameters() const {
  return count_weights(*this, [](const Parameter&) { return true; });
}

int64_t ModelConfig::num_projected_parameters() const {
  return count_weights(*this, [](const Parameter& parameter) {
    return parameter.role == Role::matrix && parameter.layer >= 0;
  });
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
