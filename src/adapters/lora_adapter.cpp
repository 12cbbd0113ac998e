#include "adapters/lora_adapter.h"

#include <algorithm>
#include <cmath>

#include "adapters/dora_linear.h"
#include "adapters/lora_embedding.h"
#include "adapters/lora_linear.h"
#include "core/errors.h"

namespace galore {
namespace {

std::string module_of(const Parameter& parameter) {
  return parameter.name.substr(0, parameter.name.rfind('.'));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Returns the keys of PEFT's LoraConfig with their defaults, in its order.
Adapter::Json default_config() {
  return {{"peft_type", "LORA"},
          {"auto_mapping", nullptr},
          {"base_model_name_or_path", nullptr},
          {"revision", nullptr},
          {"task_type", "CAUSAL_LM"},
          {"inference_mode", true},
          {"r", 8},
          {"target_modules", nullptr},
          {"exclude_modules", nullptr},
          {"lora_alpha", 8},
          {"lora_dropout", 0.0},
          {"fan_in_fan_out", false},
          {"bias", "none"},
          {"use_rslora", false},
          {"modules_to_save", nullptr},
          {"init_lora_weights", true},
          {"layers_to_transform", nullptr},
          {"layers_pattern", nullptr},
          {"rank_pattern", Adapter::Json::object()},
          {"alpha_pattern", Adapter::Json::object()},
          {"use_dora", false}};
}

// PEFT writes whole numbers without a point.
Adapter::Json short_number(double value) {
  return value == std::floor(value) ? Adapter::Json(static_cast<int64_t>(value)) : Adapter::Json(value);
}

template <typename T>
Adapter::Json list_or_null(const std::vector<T>& list) {
  return list.empty() ? Adapter::Json(nullptr) : Adapter::Json(list);
}

// Returns true if a part of the module's name ends with the name of a classifier in peft.
bool is_of_classifier(const std::string& module) {
  for (const std::string name : {"score", "classifier"})
    if (module.ends_with(name) || module.find(name + ".") != std::string::npos) return true;
  return false;
}

// The factors of PiSSA and their first values together are plain factors of twice the rank and the same
// scale.
void double_ranks(Adapter::Json& config, bool use_rslora) {
  const double growth = use_rslora ? std::sqrt(2.0) : 2;
  config["r"] = 2 * config["r"].get<int64_t>();
  config["lora_alpha"] = short_number(growth * config["lora_alpha"].get<double>());
  for (auto& rank : config["rank_pattern"]) rank = 2 * rank.get<int64_t>();
  for (auto& alpha : config["alpha_pattern"]) alpha = short_number(growth * alpha.get<double>());
}

}  // namespace

bool LoraAdapter::takes(const Place& place) const {
  const bool scores = place.role == Role::head && is_of_classifier(place.name);
  return !scores && config_.targets(place.name, place.role == Role::matrix);
}

LoraSettings LoraAdapter::settings_at(const std::string& place) const {
  return {config_.rank_of(place), config_.scale_of(place), config_.lora_dropout, config_.start,
          config_.start_iterations};
}

std::unique_ptr<AdaptedLayer> LoraAdapter::linear(const Place& place, const LinearSize& size,
                                                  const LayerBuilder& inner, Ledger& ledger) const {
  const LoraSettings settings = settings_at(place.name);
  if (config_.use_dora) return std::make_unique<DoraLinear>(place, size, settings, inner, ledger);
  return std::make_unique<LoraLinear>(place, size, settings, inner, ledger);
}

std::unique_ptr<AdaptedTable> LoraAdapter::embedding(const Place& place, const TableSize& size,
                                                     const LayerBuilder& inner, Ledger& ledger) const {
  return std::make_unique<LoraEmbedding>(place, size, settings_at(place.name), config_.use_dora, inner,
                                         ledger);
}

// A tied head is no layer of its own. PEFT would add factors to its output alone, and its copy in
// modules_to_save would leave the embedding as it is.
void LoraAdapter::check_tied(const ParameterList& parameters) const {
  for (const Parameter* parameter : parameters) {
    if (parameter->uses == 1) continue;
    for (const char* head : {"lm_head", "embed_out"}) {
      if (config_.saves(head))
        fail_usage("modules_to_save", "{} is tied to {}, which would change with it", head,
                   module_of(*parameter));
      if (!config_.target_modules.all_linear && config_.targets(head, false))
        fail_usage("target_modules", "{} is tied to {}: expected the embedding or matrices of the layers",
                   head, module_of(*parameter));
    }
    if (config_.saves(module_of(*parameter)))
      fail_usage("modules_to_save", "{} is tied to the head, which would change with it",
                 module_of(*parameter));
  }
}

void LoraAdapter::check_names(const ParameterList& parameters, const std::vector<std::string>& places) const {
  const auto any = [&](const auto& wanted) {
    return std::any_of(parameters.begin(), parameters.end(), [&](const Parameter* parameter) {
      return parameter->role != Role::adapter && wanted(module_of(*parameter));
    });
  };
  check_tied(parameters);
  for (const std::string& ending : config_.target_modules.endings)
    if (is_new_ && !any([&](const std::string& module) { return is_named_by(module, {ending}); }))
      fail_usage("target_modules", "'{}' matches no module of the model", ending);
  if (places.empty())
    fail_usage("target_modules", "no linear layer or embedding of the model is matched by {}",
               config_.given.value("target_modules", Json("all-linear")).dump());
  for (const std::string& ending : config_.modules_to_save)
    if (is_new_ && !any([&](const std::string& module) {
          LoraConfig one;
          one.modules_to_save = {ending};
          return one.saves(module);
        }))
      fail_usage("modules_to_save", "'{}' matches no module of the model", ending);
}

bool LoraAdapter::is_trained(const Parameter& parameter, const std::vector<std::string>& places) const {
  const std::string module = module_of(parameter);
  // PEFT trains and saves the head of a classifier although no key asks for it.
  const bool scores = parameter.of_new_head && is_of_classifier(module);
  if (parameter.name.ends_with(kStartEnding)) return false;
  if (parameter.role == Role::adapter || scores || config_.saves(module)) return true;
  if (!parameter.name.ends_with(".bias")) return false;
  return config_.bias == "all" || (config_.bias == "lora_only" && contains(places, module));
}

void LoraAdapter::choose_trainable(const ParameterList& parameters,
                                   const std::vector<std::string>& places) const {
  check_names(parameters, places);
  for (Parameter* parameter : parameters) parameter->trainable = is_trained(*parameter, places);
}

double LoraAdapter::learning_rate_factor(const Parameter& parameter, double learning_rate) const {
  if (!plus_) return 1;
  if (parameter.name.find(".lora_embedding_") != std::string::npos)
    return learning_rate > 0 ? plus_->embedding_rate / learning_rate : 0;
  const bool fast = parameter.name.ends_with(".lora_B.weight") || parameter.sizes().size() == 1;
  return fast ? plus_->ratio : 1;
}

Adapter::Json LoraAdapter::peft_config(const std::vector<std::string>& places, bool inputs_first) const {
  Json config = is_new_ ? default_config() : Json::object();
  for (const auto& [key, value] : config_.given.items()) config[key] = value;
  if (config_.target_modules.all_linear) config["target_modules"] = places;
  if (!is_new_) return config;
  config["r"] = config_.r;
  config["lora_alpha"] = short_number(config_.lora_alpha);
  config["fan_in_fan_out"] = inputs_first;
  config["lora_dropout"] = config_.lora_dropout;
  config["use_rslora"] = config_.use_rslora;
  config["use_dora"] = config_.use_dora;
  if (!config_.target_modules.endings.empty()) config["target_modules"] = config_.target_modules.endings;
  if (!config_.exclude_modules.endings.empty()) config["exclude_modules"] = config_.exclude_modules.endings;
  config["modules_to_save"] = list_or_null(config_.modules_to_save);
  config["layers_to_transform"] = list_or_null(config_.layers_to_transform);
  config["layers_pattern"] = list_or_null(config_.layers_pattern);
  for (auto& number : config["rank_pattern"])
    if (number.is_string()) number = std::stoll(number.get<std::string>());
  for (auto& number : config["alpha_pattern"])
    if (number.is_string()) number = short_number(std::stod(number.get<std::string>()));
  config["init_lora_weights"] = true;
  if (config_.start == LoraStart::pissa) double_ranks(config, config_.use_rslora);
  return config;
}

std::string LoraAdapter::peft_name(const Parameter& parameter, const std::vector<std::string>& places) const {
  const std::string module = module_of(parameter);
  if (parameter.name.ends_with(kStartEnding)) return "base_model.model." + module + ".weight";
  const bool of_base = parameter.role != Role::adapter && contains(places, module);
  return "base_model.model." + module + (of_base ? ".base_layer" : "") + parameter.name.substr(module.size());
}

std::shared_ptr<const Adapter> new_lora(Adapter::Json arguments, const char* flag,
                                        std::optional<LoraPlus> plus) {
  if (flag) arguments[flag] = true;
  return std::make_shared<LoraAdapter>(read_lora_config(arguments, "adapter_args", /*from_file=*/false),
                                       plus);
}

std::shared_ptr<const Adapter> read_lora(const Adapter::Json& config, const std::string& where,
                                         std::optional<LoraPlus> plus) {
  const Adapter::Json type = config.value("peft_type", Adapter::Json(nullptr));
  if (type != "LORA") fail(where, "peft_type: expected LORA, given {}", type.dump());
  return std::make_shared<LoraAdapter>(read_lora_config(config, where, /*from_file=*/true), plus,
                                       /*is_new=*/false);
}

}  // namespace galore
