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

TransformerPlan equal_layers(const LayerSize& size) {
  TransformerPlan plan;
  plan.layer = [size](int64_t) { return size; };
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
