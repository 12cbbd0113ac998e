#include "models/architectures.h"

#include <fmt/ranges.h>

#include "core/errors.h"

namespace galore {
namespace {

struct Architecture {
  const char* model_type;
  DecoderPlan (*plan)(const ModelConfig&);
};
constexpr Architecture kArchitectures[] = {{"llama", llama_plan},
                                           {"mistral", mistral_plan},
                                           {"qwen2", qwen2_plan},
                                           {"qwen3", qwen3_plan},
                                           {"gpt2", gpt2_plan}};

}  // namespace

DecoderPlan plan_with_windows(const DecoderSize& size, const ModelConfig& config) {
  DecoderPlan plan;
  plan.layer = [size, config](int64_t layer) {
    DecoderSize windowed = size;
    windowed.attention.window = config.window_of_layer(layer);
    return windowed;
  };
  return plan;
}

DecoderPlan plan_of(const ModelConfig& config) {
  for (const Architecture& known : kArchitectures)
    if (config.model_type == known.model_type) return known.plan(config);
  fail("config.json", "model_type is one of: {}; given '{}'", fmt::join(architecture_names(), ", "),
       config.model_type);
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& known : kArchitectures) names.emplace_back(known.model_type);
  return names;
}

}  // namespace galore
