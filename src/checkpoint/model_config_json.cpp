// config.json <-> ModelConfig. Each key stands once in kKeys, with its place in ModelConfig, transformers'
// default (LlamaConfig, transformers 4.57) and the range that is accepted.
#include <algorithm>
#include <cmath>
#include <variant>

#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "core/dtypes.h"
#include "core/options.h"

namespace galore {
namespace {

struct Architecture {
  const char* model_type;
  const char* class_name;  // "architectures" of config.json
};
constexpr Architecture kArchitectures[] = {{"llama", "LlamaForCausalLM"}};

using Member = std::variant<int64_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*,
                            std::optional<int64_t> ModelConfig::*>;

struct Key {
  const char* name;
  Member member;
  double fallback;   // transformers' default; kFromOthers: computed from other keys
  double low, high;  // inclusive; bounds sizes before anything is allocated
};
constexpr double kFromOthers = -2, kNone = -1;
constexpr double kLargestSize = 1 << 27, kLargestCount = 1 << 16, kLargestId = INT32_MAX;

const Key kKeys[] = {
    {"vocab_size", &ModelConfig::vocab_size, 32000, 1, kLargestSize},
    {"hidden_size", &ModelConfig::hidden_size, 4096, 1, kLargestSize},
    {"intermediate_size", &ModelConfig::intermediate_size, 11008, 1, kLargestSize},
    {"num_hidden_layers", &ModelConfig::num_hidden_layers, 32, 1, kLargestCount},
    {"num_attention_heads", &ModelConfig::num_attention_heads, 32, 1, kLargestCount},
    {"num_key_value_heads", &ModelConfig::num_key_value_heads, kFromOthers, 1, kLargestCount},
    {"head_dim", &ModelConfig::head_dim, kFromOthers, 1, kLargestCount},
    {"max_position_embeddings", &ModelConfig::max_position_embeddings, 2048, 1, INT32_MAX},
    {"rms_norm_eps", &ModelConfig::rms_norm_eps, 1e-6, 0, 1},
    {"rope_theta", &ModelConfig::rope_theta, 10000, 1e-3, 1e15},
    {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
    {"attention_bias", &ModelConfig::attention_bias, 0, 0, 1},
    {"mlp_bias", &ModelConfig::mlp_bias, 0, 0, 1},
    {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 0, 0, 1},
    {"bos_token_id", &ModelConfig::bos_token_id, 1, kNone, kLargestId},
    {"eos_token_id", &ModelConfig::eos_token_id, 2, kNone, kLargestId},
    {"pad_token_id", &ModelConfig::pad_token_id, kNone, kNone, kLargestId},
};

// Settings that change the mathematics: only these values can be computed. A missing key and null are fine.
struct Requirement {
  const char* name;
  std::vector<Json> accepted;
};
const std::vector<Requirement>& requirements() {
  static const std::vector<Requirement> list{
      {"hidden_act", {"silu", "swish"}},
      {"pretraining_tp", {1, 0}},
      {"attention_dropout", {0}},
      {"hidden_dropout", {0}},
      {"partial_rotary_factor", {1}},
      {"use_bidirectional_attention", {false}},
      {"rope_interleaved", {false}},
      {"attn_logit_softcapping", {}},
      {"final_logit_softcapping", {}},
      {"quantization_config", {}},
      {"clip_qkv", {}},
      {"num_local_experts", {}},
  };
  return list;
}

std::string shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120);
}

double number(const std::string& where, const Key& key, const Json& value) {
  double result = json_value<double>(where, Json{{key.name, value}}, key.name);
  if (!std::isfinite(result) || result < key.low || result > key.high)
    fail("config", "{}: '{}' must lie in {} to {}, given {}", where, key.name, key.low, key.high,
         shown(value));
  return result;
}

class ConfigReader {
 public:
  ConfigReader(const std::string& where, const Json& json) : where_(where), json_(json) {}

  void read(const Key& key, ModelConfig& config) const {
    const auto found = json_.find(key.name);
    const Json* value = found == json_.end() || found->is_null() ? nullptr : &*found;
    std::visit([&](auto member) { set(key, value, config.*member); }, key.member);
  }

 private:
  void set(const Key& key, const Json* value, int64_t& target) const {
    if (value == nullptr) {
      target = static_cast<int64_t>(key.fallback);
      return;
    }
    if (!value->is_number_integer())
      fail("config", "{}: '{}' must be a whole number, given {}", where_, key.name, shown(*value));
    target = static_cast<int64_t>(number(where_, key, *value));
  }
  void set(const Key& key, const Json* value, double& target) const {
    target = value == nullptr ? key.fallback : number(where_, key, *value);
  }
  void set(const Key& key, const Json* value, bool& target) const {
    if (value != nullptr && !value->is_boolean())
      fail("config", "{}: '{}' must be true or false, given {}", where_, key.name, shown(*value));
    target = value == nullptr ? key.fallback != 0 : value->get<bool>();
  }
  // A token's id: null and negative mean none; of a list (several ends of text) the first counts. Null is not
  // the same as a missing key, which has transformers' default.
  void set(const Key& key, const Json* value, std::optional<int64_t>& target) const {
    if (value != nullptr && value->is_array()) value = value->empty() ? nullptr : &value->front();
    int64_t id = json_.contains(key.name) ? static_cast<int64_t>(kNone) : static_cast<int64_t>(key.fallback);
    if (value != nullptr) set(key, value, id);
    target = id < 0 ? std::nullopt : std::optional<int64_t>(id);
  }

  std::string where_;
  const Json& json_;
};

const Architecture& architecture(const std::string& where, const std::string& model_type) {
  for (const Architecture& known : kArchitectures)
    if (model_type == known.model_type) return known;
  fail("config", "{}: model_type '{}' is not supported; known: {}", where, model_type.substr(0, 60),
       known_model_types().front());
}

void check_requirements(const std::string& where, const Json& json) {
  for (const Requirement& requirement : requirements()) {
    const auto found = json.find(requirement.name);
    if (found == json.end() || found->is_null()) continue;
    const auto& accepted = requirement.accepted;
    if (std::find(accepted.begin(), accepted.end(), *found) == accepted.end())
      fail("config", "{}: '{}' = {} is not supported", where, requirement.name, shown(*found));
  }
  const bool window_off = json.contains("use_sliding_window") && json["use_sliding_window"] == false;
  if (json.contains("sliding_window") && !json["sliding_window"].is_null() && !window_off)
    fail("config", "{}: 'sliding_window' = {} is not supported", where, shown(json["sliding_window"]));
  if (json.contains("layer_types") && json["layer_types"].is_array())
    for (const Json& type : json["layer_types"])
      if (type != "full_attention")
        fail("config", "{}: 'layer_types' with {} is not supported", where, shown(type));
}

double positive(const std::string& where, const Json& rope, const char* name, bool whole) {
  const double value = json_value<double>(where, rope, name);
  if (!(value > 0) || value > 1e12 || (whole && value != std::floor(value)))
    fail("config", "{}: '{}' must be a positive {}number, given {}", where, name, whole ? "whole " : "",
         value);
  return value;
}

// `rope`: the object rope_scaling (transformers 4) or rope_parameters (5).
RopeScaling parse_rope(const std::string& where, const Json& rope) {
  RopeScaling scaling;
  for (const auto& [name, value] : rope.items())
    if (value.is_object())
      fail("config", "{}: '{}', one embedding per kind of layer, is not supported", where, name);
  for (const char* name : {"type", "rope_type"})  // the newer name counts when both stand there
    if (rope.contains(name)) scaling.type = json_value<std::string>(where, rope, name);
  const std::vector<std::string> known{"default", "linear", "dynamic", "llama3"};
  if (std::find(known.begin(), known.end(), scaling.type) == known.end())
    fail("config", "{}: rope type '{}' is not supported; expected default, linear, dynamic or llama3", where,
         scaling.type.substr(0, 60));
  if (rope.contains("partial_rotary_factor") && rope["partial_rotary_factor"] != 1)
    fail("config", "{}: 'partial_rotary_factor' = {} is not supported", where,
         shown(rope["partial_rotary_factor"]));
  if (scaling.type == "default") return scaling;
  scaling.factor = positive(where, rope, "factor", false);
  if (scaling.type != "llama3") return scaling;
  scaling.low_freq_factor = positive(where, rope, "low_freq_factor", false);
  scaling.high_freq_factor = positive(where, rope, "high_freq_factor", false);
  if (scaling.high_freq_factor <= scaling.low_freq_factor)
    fail("config", "{}: 'high_freq_factor' must be larger than 'low_freq_factor', given {} and {}", where,
         scaling.high_freq_factor, scaling.low_freq_factor);
  if (rope.contains("original_max_position_embeddings"))
    scaling.original_max_position_embeddings =
        static_cast<int64_t>(positive(where, rope, "original_max_position_embeddings", true));
  return scaling;
}

// One object with all that says something about the rotary embedding, wherever this version put it.
void read_rope(const std::string& where, const Json& json, ModelConfig& config) {
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_object())
      fail("config", "{}: '{}' must be an object, given {}", where, name, shown(*found));
    config.rope_scaling = parse_rope(where + ": " + name, *found);
    if (found->contains("rope_theta")) {
      const auto key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                    [](const Key& k) { return std::string("rope_theta") == k.name; });
      ConfigReader(where, *found).read(*key, config);
    }
  }
}

void derive_and_check(const std::string& where, ModelConfig& config) {
  if (config.num_key_value_heads == kFromOthers) config.num_key_value_heads = config.num_attention_heads;
  if (config.head_dim == kFromOthers) {
    if (config.hidden_size % config.num_attention_heads != 0)
      fail("config", "{}: 'hidden_size' {} is no multiple of 'num_attention_heads' {}", where,
           config.hidden_size, config.num_attention_heads);
    config.head_dim = config.hidden_size / config.num_attention_heads;
  }
  if (config.head_dim % 2 != 0)
    fail("config", "{}: 'head_dim' must be even, given {}", where, config.head_dim);
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    fail("config", "{}: 'num_attention_heads' {} is no multiple of 'num_key_value_heads' {}", where,
         config.num_attention_heads, config.num_key_value_heads);
}

Json rope_json(const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.type == "default") return nullptr;
  Json rope{{"rope_type", scaling.type}, {"factor", scaling.factor}};
  if (scaling.type != "llama3") return rope;
  rope["low_freq_factor"] = scaling.low_freq_factor;
  rope["high_freq_factor"] = scaling.high_freq_factor;
  const int64_t original = scaling.original_max_position_embeddings;
  rope["original_max_position_embeddings"] = original > 0 ? original : config.max_position_embeddings;
  return rope;
}

Json to_json(int64_t value) { return value; }
Json to_json(double value) { return value; }
Json to_json(bool value) { return value; }
Json to_json(const std::optional<int64_t>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

std::vector<std::string> known_model_types() {
  std::vector<std::string> names;
  for (const Architecture& known : kArchitectures) names.emplace_back(known.model_type);
  return names;
}

ModelConfig parse_model_config(const std::string& where, const std::string& text) {
  const Json json = parse_json_object(where, text);
  ModelConfig config;
  config.model_type = json_value<std::string>(where, json, "model_type");
  architecture(where, config.model_type);
  check_requirements(where, json);
  const ConfigReader reader(where, json);
  for (const Key& key : kKeys) reader.read(key, config);
  read_rope(where, json, config);
  derive_and_check(where, config);
  return config;
}

ModelConfig read_model_config(const Path& source) {
  const Path path = std::filesystem::is_directory(source) ? source / "config.json" : source;
  return parse_model_config(path.string(), read_file(path, kLargestJsonFile));
}

std::string model_config_text(const ModelConfig& config, at::ScalarType dtype) {
  Json json{{"architectures", {architecture("save", config.model_type).class_name}},
            {"model_type", config.model_type},
            {"torch_dtype", dtype_name(dtype)},
            {"hidden_act", "silu"},
            {"attention_dropout", 0.0},
            {"use_cache", true},
            {"rope_scaling", rope_json(config)}};
  for (const Key& key : kKeys)
    json[key.name] = std::visit([&](auto member) { return to_json(config.*member); }, key.member);
  return json_text(json);
}

}  // namespace galore
