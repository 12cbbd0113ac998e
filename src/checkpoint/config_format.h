// How each architecture's config.json says what ModelConfig holds: one table an architecture.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "checkpoint/json_file.h"
#include "models/model_config.h"

namespace galore {

using ConfigMember = std::variant<int64_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*,
                                  std::optional<int64_t> ModelConfig::*>;

inline constexpr double kFromOthers = -2, kNone = -1;

struct ConfigKey {
  const char* name;
  ConfigMember member;
  double fallback;   // transformers' default; kFromOthers: computed from other keys
  double low, high;  // inclusive; bounds sizes before anything is allocated
};

// A setting that changes the mathematics: only these values can be computed. A missing key and null are fine.
struct ConfigRequirement {
  const char* name;
  std::vector<Json> accepted;
};

struct ConfigFormat {
  const char* model_type;
  const char* class_name;  // "architectures" of config.json
  std::vector<ConfigKey> keys;
  std::vector<ConfigRequirement> requirements;
  const char* activation_key = "hidden_act";
  std::vector<std::string> activations = {"silu", "swish"};  // the default first
  bool rotary = true;
  enum class Windows {
    none,  // a window is refused
    all,   // sliding_window is that of every layer (mistral)
    some,  // use_sliding_window, max_window_layers and layer_types say where (qwen2, qwen3)
  } windows = Windows::none;
};

// An unknown model_type is an Error that lists the known ones.
const ConfigFormat& config_format(const std::string& where, const std::string& model_type);

}  // namespace galore
