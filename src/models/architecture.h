// An architecture: how its config.json is read, what its weights are called, and the plan of its trunk. Each
// stands in a file named by the checkpoints' model_type, and has one row in the table of architecture.cpp.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "models/transformer.h"

namespace galore {

using ConfigMember = std::variant<int64_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*,
                                  std::optional<int64_t> ModelConfig::*>;

inline constexpr double kFromOtherKeys = -2, kNone = -1;

struct ConfigKey {
  const char* name;
  ConfigMember member;
  double fallback;   // transformers' default; kFromOtherKeys: computed from other keys; kNone: no token
  double low, high;  // inclusive; bounds sizes before anything is allocated
};
using ConfigKeys = std::vector<ConfigKey>;

// A setting that changes the mathematics: only these values can be computed. A missing key and null are fine.
struct ConfigRequirement {
  const char* name;
  std::vector<std::variant<bool, double>> accepted;
};

enum class Windows {
  none,  // a sliding window is refused
  all,   // sliding_window holds for every layer (mistral)
  some,  // use_sliding_window, max_window_layers and layer_types say where (qwen2, qwen3)
};

struct Architecture {
  const char* model_type;
  const char* class_name;  // transformers' class, "architectures" of config.json
  ConfigKeys keys;
  std::vector<ConfigRequirement> requirements;
  TransformerPlan (*plan)(const ModelConfig& config);
  const char* activation_key = "hidden_act";
  std::vector<std::string> activations = {"silu", "swish"};  // the default first
  bool rotary = true;
  Windows windows = Windows::none;
};

// Each in its own file.
Architecture llama();
Architecture mistral();
Architecture qwen2();
Architecture qwen3();
Architecture gpt2();

// Null for an unknown name.
const Architecture* find_architecture(const std::string& model_type);
// An unknown name is an Error that lists the known ones.
const Architecture& architecture(const std::string& model_type);
std::vector<std::string> architecture_names();

// "lm_head": transformers' name of the head of every causal model.
inline constexpr const char* kLanguageHead = "lm_head";

// Bounds of sizes, counts and token ids in config.json.
inline constexpr double kLargestSize = 1 << 27, kLargestCount = 1 << 16, kLargestId = INT32_MAX;

// The keys with another default of one of them, and without one of them.
ConfigKeys with_default(ConfigKeys keys, const std::string& name, double fallback);
ConfigKeys without(ConfigKeys keys, const std::string& name);

// The plan with the window of each layer that the configuration states.
TransformerPlan with_windows(TransformerPlan plan, const ModelConfig& config);

}  // namespace galore
