// Converts config.json to ModelConfig and back, by the tables of models/architecture.h.
#include <fmt/ranges.h>

#include <algorithm>

#include "checkpoint/config_reader.h"
#include "checkpoint/hugging_face.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/rope_json.h"
#include "checkpoint/weight_names.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/activation.h"
#include "models/architecture.h"

namespace galore {
namespace {

const Architecture& architecture_of(const std::string& where, const std::string& model_type) {
  if (const Architecture* found = find_architecture(model_type)) return *found;
  fail("config", "{}: model_type '{}' is not supported; known: {}", where, model_type.substr(0, 60),
       fmt::join(architecture_names(), ", "));
}

void check_requirements(const std::string& where, const Architecture& format, const Json& json) {
  for (const ConfigRequirement& requirement : format.requirements) {
    const auto found = json.find(requirement.name);
    if (found == json.end() || found->is_null()) continue;
    const auto equals = [&](const auto& accepted) {
      return std::visit([&](auto value) { return *found == Json(value); }, accepted);
    };
    if (std::none_of(requirement.accepted.begin(), requirement.accepted.end(), equals))
      fail("config", "{}: '{}' = {} is not supported", where, requirement.name, shown(*found));
  }
  const bool window_off = json.contains("use_sliding_window") && json["use_sliding_window"] == false;
  if (format.windows == Windows::none && json.contains("sliding_window") &&
      !json["sliding_window"].is_null() && !window_off)
    fail("config", "{}: 'sliding_window' = {} is not supported", where, shown(json["sliding_window"]));
}

void read_activation(const std::string& where, const Architecture& format, const Json& json,
                     ModelConfig& config) {
  config.hidden_act = format.activation;
  const auto found = json.find(format.activation_key);
  if (found == json.end() || found->is_null()) return;
  if (!found->is_string() || !find_activation(found->get<std::string>()))
    fail("config", "{}: '{}' = {} is not supported; known: {}", where, format.activation_key, shown(*found),
         fmt::join(activation_names(), ", "));
  config.hidden_act = found->get<std::string>();
}

bool chooses_by_layer(const Architecture& format) {
  return format.windows == Windows::some || format.windows == Windows::typed;
}

// Returns true when this kind of layer can be computed, given the format's windows.
bool is_layer_type(const Json& type, const Architecture& format, const ModelConfig& config) {
  const bool windowed = config.sliding_window.has_value();
  if (format.windows == Windows::all) return type == (windowed ? "sliding_attention" : "full_attention");
  return type == "full_attention" ||
         (format.windows != Windows::none && type == "sliding_attention" && windowed);
}

void read_windows(const std::string& where, const Architecture& format, const Json& json,
                  ModelConfig& config) {
  if (format.windows == Windows::some && !config.use_sliding_window) config.sliding_window.reset();
  const auto found = json.find("layer_types");
  if (found == json.end() || found->is_null()) return;
  if (!found->is_array() || found->size() != static_cast<size_t>(config.num_hidden_layers))
    fail("config", "{}: 'layer_types' must be a list of num_hidden_layers = {} names, given {}", where,
         config.num_hidden_layers, shown(*found));
  for (const Json& type : *found)
    if (!is_layer_type(type, format, config))
      fail("config", "{}: 'layer_types' with {} and 'sliding_window' = {} is not supported", where,
           shown(type), config.sliding_window.value_or(0));
  if (chooses_by_layer(format)) config.layer_types = found->get<std::vector<std::string>>();
}

// Returns the object of this name, or null if it is missing or empty.
const Json* object_in(const std::string& where, const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return nullptr;
  if (!found->is_object()) fail("config", "{}: '{}' must be an object, given {}", where, name, shown(*found));
  return found->empty() ? nullptr : &*found;
}

// Returns the key that fills this member, or null.
const ConfigKey* key_of(const Architecture& format, double ModelConfig::*member) {
  for (const ConfigKey& key : format.keys)
    if (key.member == ConfigMember(member)) return &key;
  return nullptr;
}

// Reads a number of `rope` into the member of the key that describes it, under another name.
void read_rope_number(const std::string& where, const Json& rope, const char* name,
                      double ModelConfig::*member, const Architecture& format, ModelConfig& config) {
  const ConfigKey* known = key_of(format, member);
  if (!rope.contains(name) || !known) return;
  ConfigKey key = *known;
  key.name = name;
  ConfigReader(where, rope).read(key, config);
}

// Reads the rotary embedding of an object that may also hold rope_theta and partial_rotary_factor.
void read_one_rope(const std::string& where, const Json& rope, const Architecture& format,
                   ModelConfig& config) {
  config.rope_scaling = parse_rope(where, rope);
  read_rope_number(where, rope, "rope_theta", &ModelConfig::rope_theta, format, config);
  read_rope_number(where, rope, "partial_rotary_factor", &ModelConfig::partial_rotary_factor, format, config);
  const double rotated = rope.value("partial_rotary_factor", 1.0);
  if (rotated != 1 && config.partial_rotary_factor != rotated)
    fail("config", "{}: 'partial_rotary_factor' = {} is not supported", where, rotated);
}

// Reads the rotary embeddings of an architecture with one for each kind of layer. transformers 4 knows the
// scaling of layers without a window only.
void read_ropes_by_kind(const std::string& where, const Json& json, const Architecture& format,
                        ModelConfig& config) {
  const Json* parameters = object_in(where, json, "rope_parameters");
  const auto kind = [&](const char* name) {
    const Json* found = parameters ? object_in(where + ": rope_parameters", *parameters, name) : nullptr;
    return found ? *found : Json::object();
  };
  Json full = kind("full_attention");
  if (const Json* scaling = object_in(where, json, "rope_scaling")) full.update(*scaling);
  read_one_rope(where + ": rope of full_attention", full, format, config);
  if (!key_of(format, &ModelConfig::local_rope_theta)) config.local_rope_theta = config.rope_theta;
  const Json local = kind("sliding_attention");
  config.local_rope_scaling = parse_rope(where + ": rope of sliding_attention", local);
  if (local.contains("rope_theta"))
    config.local_rope_theta = json_value<double>(where + ": sliding_attention", local, "rope_theta");
}

// Collects all keys about the rotary embedding, from any place that a version of transformers uses. A
// rope_scaling that is not empty replaces rope_parameters, as in transformers 5.
void read_rope(const std::string& where, const Architecture& format, const Json& json, ModelConfig& config) {
  if (!format.rotary) return;
  if (format.local_rope) return read_ropes_by_kind(where, json, format, config);
  for (const char* name : {"rope_scaling", "rope_parameters"})
    if (const Json* rope = object_in(where, json, name)) {
      read_one_rope(where + ": " + name, *rope, format, config);
      break;
    }
  const auto original = json.find("original_max_position_embeddings");
  if (original == json.end() || original->is_null()) return;
  const ConfigKey key{"original_max_position_embeddings", &ModelConfig::original_max_position_embeddings, 0,
                      1, INT32_MAX};
  ConfigReader(where, json).read(key, config);
}

constexpr const char* kScoreEnding = "ForSequenceClassification";

bool scores_rows(const Json& json) {
  const auto found = json.find("architectures");
  return found != json.end() && found->is_array() && !found->empty() && found->front().is_string() &&
         found->front().get_ref<const std::string&>().ends_with(kScoreEnding);
}

ValueSupport parse_value_head(const std::string& where, const Json& json) {
  ValueSupport support;
  support.loss = value_loss_from_name(json_value<std::string>(where, json, "type"));
  if (support.is_scalar()) return support;
  support.num_bins = json_value<int64_t>(where, json, "num_bins");
  if (support.loss == ValueLoss::quantile) support.kappa = json_value<double>(where, json, "kappa");
  if (support.is_categorical()) {
    support.v_min = json_value<double>(where, json, "v_min");
    support.v_max = json_value<double>(where, json, "v_max");
  }
  if (support.loss == ValueLoss::hl_gauss)
    support.sigma_ratio = json_value<double>(where, json, "sigma_ratio");
  check(support);
  return support;
}

// Reads the names of the classes. Names that transformers made up are left out.
void read_labels(const std::string& where, const Json& json, HeadConfig& head) {
  head.num_labels = 2;  // transformers' default
  if (json.contains("num_labels")) head.num_labels = json_value<int64_t>(where, json, "num_labels");
  const auto found = json.find("id2label");
  if (found == json.end() || !found->is_object() || found->empty()) return;
  head.num_labels = static_cast<int64_t>(found->size());
  bool named = false;
  for (int64_t i = 0; i < head.num_labels; ++i) {
    const std::string key = fmt::format("{}", i);
    // run_glue.py writes labels that are numbers as they are.
    const bool is_number = found->contains(key) && (*found)[key].is_number();
    head.label_names.push_back(is_number ? (*found)[key].dump()
                                         : json_value<std::string>(where + ": id2label", *found, key));
    named = named || head.label_names.back() != fmt::format("LABEL_{}", i);
  }
  if (!named) head.label_names.clear();
}

void read_head(const std::string& where, const Json& json, ModelConfig& config) {
  HeadConfig& head = config.head;
  if (!scores_rows(json)) {
    if (is_encoder(config)) head.kind = HeadKind::masked;
    return;
  }
  const auto value = json.find("value_head");
  if (value != json.end() && value->is_object()) {
    head.kind = HeadKind::value;
    head.value = parse_value_head(where + ": value_head", *value);
    if (value->contains("num_actions")) {
      head.kind = HeadKind::action_value;
      head.num_actions = json_value<int64_t>(where + ": value_head", *value, "num_actions");
      if (head.num_actions < 1)
        fail("config", "{}: value_head: num_actions must be at least 1, given {}", where, head.num_actions);
    }
    return;
  }
  read_labels(where, json, head);
  if (head.num_labels < 1)
    fail("config", "{}: num_labels must be at least 1, given {}", where, head.num_labels);
  if (json.contains("problem_type") && json["problem_type"] == "multi_label_classification")
    fail("config", "{}: 'problem_type' = \"multi_label_classification\" is not supported", where);
  head.kind = head.num_labels == 1 ? HeadKind::regression : HeadKind::classification;
}

// "LlamaForCausalLM" and "GPT2LMHeadModel" become "...ForSequenceClassification".
std::string class_name(const Architecture& format, const HeadConfig& head) {
  const std::string name = format.class_name;
  if (head.predicts_tokens()) return name;
  for (const std::string ending : {"ForCausalLM", "LMHeadModel", "ForMaskedLM"})
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size()) + kScoreEnding;
  return name + kScoreEnding;
}

void write_head(const HeadConfig& head, Json& json) {
  for (const char* replaced : {"num_labels", "id2label", "label2id", "value_head"}) json.erase(replaced);
  if (head.predicts_tokens()) return;
  json["id2label"] = json["label2id"] = Json::object();
  for (int64_t i = 0; i < head.num_outputs(); ++i) {
    const std::string name = label_name(head, i);
    json["id2label"][fmt::format("{}", i)] = name;
    json["label2id"][name] = i;
  }
  if (head.kind == HeadKind::regression) json["problem_type"] = "regression";
  if (!head.has_values()) return;
  Json& value = json["value_head"] = {{"type", value_loss_name(head.value.loss)}};
  if (head.kind == HeadKind::action_value) value["num_actions"] = head.num_actions;
  if (head.value.is_scalar()) return;
  if (head.value.is_categorical()) {
    value["v_min"] = head.value.v_min;
    value["v_max"] = head.value.v_max;
  }
  value["num_bins"] = head.value.num_bins;
  if (head.value.loss == ValueLoss::quantile) value["kappa"] = head.value.kappa;
  if (head.value.loss == ValueLoss::hl_gauss) value["sigma_ratio"] = head.value.sigma_ratio;
}

void derive_and_check(const std::string& where, const Architecture& format, ModelConfig& config) {
  if (config.num_key_value_heads == kFromOtherKeys) config.num_key_value_heads = config.num_attention_heads;
  if (config.intermediate_size == kFromOtherKeys) config.intermediate_size = 4 * config.hidden_size;
  if (config.head_dim == kFromOtherKeys) {
    if (config.hidden_size % config.num_attention_heads != 0)
      fail("config", "{}: 'hidden_size' (n_embd) {} is no multiple of 'num_attention_heads' (n_head) {}",
           where, config.hidden_size, config.num_attention_heads);
    config.head_dim = config.hidden_size / config.num_attention_heads;
  }
  if (format.rotary && rotary_options(config).head_dim % 2 != 0)
    fail("config", "{}: the rotated features of a head must be even, given {} of 'head_dim' {}", where,
         rotary_options(config).head_dim, config.head_dim);
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    fail("config", "{}: 'num_attention_heads' {} is no multiple of 'num_key_value_heads' {}", where,
         config.num_attention_heads, config.num_key_value_heads);
}

Json to_json(int64_t value) { return value; }
Json to_json(double value) { return value; }
Json to_json(bool value) { return value; }
Json to_json(const std::vector<int64_t>& value) { return value; }
template <typename T>
Json to_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Returns true for a list of ids that contains the current one. The list is kept, because each of its ids
// ends a text.
bool says_already(const Json& json, const char* name, const Json& value) {
  const auto found = json.find(name);
  return found != json.end() && found->is_array() && !value.is_null() &&
         std::find(found->begin(), found->end(), value) != found->end();
}

void write_windows(const Architecture& format, const ModelConfig& config, Json& json) {
  if (!chooses_by_layer(format)) return;
  json["layer_types"] = Json::array();
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    json["layer_types"].push_back(config.window_of_layer(i) > 0 ? "sliding_attention" : "full_attention");
}

// Returns the text part of a multimodal model's configuration, or `json` itself.
Json text_part(const std::string& where, const Json& json) {
  const auto type = json_value<std::string>(where, json, "model_type");
  for (const std::string& name : architecture_names()) {
    const Architecture& format = architecture(name);
    if (type != format.multimodal_type) continue;
    Json text = json_value<Json>(where, json, "text_config");
    if (!text.is_object())
      fail("config", "{}: 'text_config' must be an object, given {}", where, shown(text));
    for (const char* shared : {"bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings"})
      if (!text.contains(shared) && json.contains(shared)) text[shared] = json[shared];
    text["model_type"] = format.model_type;
    return text;
  }
  return json;
}

void write_ropes(const Architecture& format, const ModelConfig& config, Json& json) {
  json["rope_scaling"] = rope_json(config.rope_scaling, config.max_position_embeddings);
  if (!format.local_rope) return;
  const auto parameters = [&](const RopeScaling& scaling, double theta) {
    Json rope = rope_json(scaling, config.max_position_embeddings);
    if (rope.is_null()) rope = {{"rope_type", "default"}};
    rope["rope_theta"] = theta;
    return rope;
  };
  json["rope_parameters"] = {
      {"full_attention", parameters(config.rope_scaling, config.rope_theta)},
      {"sliding_attention", parameters(config.local_rope_scaling, config.local_rope_theta)}};
}

}  // namespace

ModelConfig parse_model_config(const std::string& where, const std::string& text) {
  const Json given = parse_json_object(where, text);
  Json json = text_part(where, given);
  ModelConfig config;
  config.model_type = json_value<std::string>(where, json, "model_type");
  const Architecture& format = architecture_of(where, config.model_type);
  for (const auto& [name, ours] : format.aliases)
    if (json.contains(name) && !json.contains(ours)) json[ours] = json[name];
  check_requirements(where, format, json);
  config.num_key_value_heads = config.head_dim = static_cast<int64_t>(kFromOtherKeys);
  const ConfigReader reader(where, json);
  for (const ConfigKey& key : format.keys) reader.read(key, config);
  read_activation(where, format, json, config);
  read_windows(where, format, json, config);
  read_rope(where, format, json, config);
  read_head(where, json, config);
  derive_and_check(where, format, config);
  if (format.complete) format.complete(config);
  config.source = json == given ? text : json_text(json);
  return config;
}

ModelConfig read_model_config(const Path& source) {
  require_model(source);
  const bool folder = std::filesystem::is_directory(source);
  const Path path = folder ? source / "config.json" : source, generation = source / "generation_config.json";
  ModelConfig config = parse_model_config(path.string(), read_file(path, kLargestJsonFile));
  // transformers 5 does so too: matrices that were tied and differ are two matrices.
  if (folder && config.tie_word_embeddings && has_weight_files(source) && head_differs(WeightFiles(source)))
    config.tie_word_embeddings = false;
  if (folder && std::filesystem::exists(generation))
    config.generation_source = json_text(read_json_object(generation));
  return config;
}

std::string model_config_text(const ModelConfig& config, at::ScalarType dtype) {
  const Architecture& format = architecture_of("save", config.model_type);
  Json json = config.source.empty() ? Json{{"use_cache", true}} : parse_json_object("save", config.source);
  for (const char* replaced : {"rope_parameters", "dtype"}) json.erase(replaced);
  json["architectures"] = {class_name(format, config.head)};
  if (!config.head.predicts_tokens() || scores_rows(json)) write_head(config.head, json);
  json["model_type"] = config.model_type;
  json["torch_dtype"] = dtype_name(dtype);
  json[format.activation_key] = config.hidden_act;
  if (format.rotary) write_ropes(format, config, json);
  for (const ConfigKey& key : format.keys) {
    const Json value = std::visit([&](auto member) { return to_json(config.*member); }, key.member);
    if (!says_already(json, key.name, value)) json[key.name] = value;
  }
  write_windows(format, config, json);
  return json_text(json);
}

std::string generation_config_text(const ModelConfig& config) {
  const bool given = !config.generation_source.empty();
  Json json =
      given ? parse_json_object("save", config.generation_source) : Json{{"_from_model_config", true}};
  const auto add = [&](const char* name, const std::optional<int64_t>& id) {
    if (!id || says_already(json, name, *id)) return;
    if (json.contains(name) && json[name].is_array())
      json[name].push_back(*id);  // each id of the list still ends a text
    else
      json[name] = *id;
  };
  add("bos_token_id", config.bos_token_id);
  add("eos_token_id", config.eos_token_id);
  add("pad_token_id", config.pad_token_id);
  return json_text(json);
}

}  // namespace galore
