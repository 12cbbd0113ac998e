// An architecture describes how its config.json is read, how its weights are named, and the plan of its
// trunk. Each architecture has a file named by the checkpoints' model_type and one row in the table of
// architecture.cpp.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/transformer.h"

namespace galore {

using ConfigMember = std::variant<int64_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*,
                                  std::optional<int64_t> ModelConfig::*, std::optional<double> ModelConfig::*,
                                  std::vector<int64_t> ModelConfig::*>;

inline constexpr double kFromOtherKeys = -2, kNone = -1;

struct ConfigKey {
  const char* name;
  ConfigMember member;
  double fallback;   // transformers' default; kFromOtherKeys: derived from other keys; kNone: no token
  double low, high;  // inclusive; limits sizes before anything is allocated
};
using ConfigKeys = std::vector<ConfigKey>;

// A setting that changes the mathematics. Only these values are supported; a missing key and null are valid
// too.
struct ConfigRequirement {
  const char* name;
  std::vector<std::variant<bool, double, std::string>> accepted;
};

enum class Windows {
  none,   // a sliding window is refused
  all,    // sliding_window holds for every layer (mistral)
  some,   // use_sliding_window, max_window_layers and layer_types select the layers (qwen2, qwen3)
  typed,  // layer_types selects the layers, and each architecture has default types (gemma2, olmo3)
};

struct Architecture {
  const char* model_type;
  const char* class_name;  // transformers' class in "architectures" of config.json
  ConfigKeys keys;
  std::vector<ConfigRequirement> requirements;
  TransformerPlan (*plan)(const ModelConfig& config);
  const char* activation_key = "hidden_act";
  const char* activation = "silu";  // the default
  bool rotary = true;
  // Layers with a sliding window have a rotary embedding of their own; rope_parameters has one entry per
  // kind.
  bool local_rope = false;
  Windows windows = Windows::none;
  // Derives settings that config.json leaves open. Null: there are none.
  void (*complete)(ModelConfig& config) = nullptr;
  // The model_type of multimodal models with this architecture in text_config; their other parts are not
  // read.
  const char* multimodal_type = "";
  // Attention is bidirectional, and the model's own head predicts masked tokens (BERT).
  bool encoder = false;
  // Other names of keys, each with its name in `keys`.
  std::vector<std::pair<const char*, const char*>> aliases = {};
};

// The table of architectures: the function of each, which stands in a file of its name.
#define GALORE_ARCHITECTURES(ROW) \
  ROW(llama)                      \
  ROW(mistral)                    \
  ROW(qwen2)                      \
  ROW(qwen3)                      \
  ROW(gpt2)                       \
  ROW(olmo2)                      \
  ROW(smollm3)                    \
  ROW(granite)                    \
  ROW(ernie4_5)                   \
  ROW(phi3)                       \
  ROW(gemma2)                     \
  ROW(gemma3_text)                \
  ROW(gpt_neox)                   \
  ROW(olmo3)                      \
  ROW(qwen3_moe)                  \
  ROW(bert)                       \
  ROW(roberta)                    \
  ROW(distilbert)

#define GALORE_DECLARE_ARCHITECTURE(name) Architecture name();
GALORE_ARCHITECTURES(GALORE_DECLARE_ARCHITECTURE)
#undef GALORE_DECLARE_ARCHITECTURE

// Returns null for an unknown name.
const Architecture* find_architecture(const std::string& model_type);
// Returns the architecture of this name. An unknown name is an Error that lists the known ones.
const Architecture& architecture(const std::string& model_type);
std::vector<std::string> architecture_names();

// Bounds of sizes, counts and token ids in config.json.
inline constexpr double kLargestSize = 1 << 27, kLargestCount = 1 << 16, kLargestId = INT32_MAX,
                        kLargestFactor = 1e6, kMostDropped = 0.999;

// with_default() changes the default of one key, and without() removes one key.
ConfigKeys with_default(ConfigKeys keys, const std::string& name, double fallback);
ConfigKeys without(ConfigKeys keys, const std::string& name);
std::vector<ConfigRequirement> without(std::vector<ConfigRequirement> requirements, const std::string& name);

// Returns whether the configuration's model is an encoder.
bool is_encoder(const ModelConfig& config);
// Returns the largest number of tokens in a row for which the model has learned positions, or nothing.
std::optional<int64_t> learned_positions(const ModelConfig& config);

// Returns the rotary embedding of the configuration, and the one of layers with a sliding window.
RotaryOptions rotary_options(const ModelConfig& config);
RotaryOptions local_rotary_options(const ModelConfig& config);

// Without layer_types, gives all layers a sliding window but every `pattern`-th.
void complete_layer_types(ModelConfig& config, int64_t pattern);

// Puts the norm of this name behind a branch.
BranchSize with_norm(const std::string& name, const LayerSize& size);

// Returns the plan whose layers all have this size, with the names of LLaMA.
TransformerPlan equal_layers(const LayerSize& size);

// Returns the plan of an encoder. `size` is that of a layer with adds_to_norm; the first layer gets no input
// norm, because the embeddings have one.
TransformerPlan encoder_plan(const std::string& layers, const LayerSize& size, const ModelConfig& config);
// Names the tables of tokens and positions and the norm as BERT does, inside `place`.
void with_bert_embeddings(TransformerPlan& plan, const std::string& place);

// Returns the plan with each layer's window from the configuration.
TransformerPlan with_windows(TransformerPlan plan, const ModelConfig& config);

}  // namespace galore
