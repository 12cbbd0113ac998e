#include "adapters/lora_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

using Json = Adapter::Json;

// Keys of PEFT's LoraConfig that change nothing when an adapter is trained or used.
const std::set<std::string> kWithoutEffect{
    "peft_type",        "task_type",      "auto_mapping",      "peft_version",   "base_model_name_or_path",
    "revision",         "inference_mode", "fan_in_fan_out",    "megatron_core",  "loftq_config",
    "eva_config",       "corda_config",   "qalora_group_size", "runtime_config", "megatron_config",
    "init_lora_weights"};
// Ways to begin that change the weights of the base model as well, or that leave B as it is (MiCA).
const std::vector<std::string> kOtherStarts{"pissa", "olora", "corda", "loftq", "lora_ga", "mica"};

bool is_off(const Json& value) {
  if (value.is_string()) return value == "false" || value == "null" || value == "";
  return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

class Reader {
 public:
  Reader(const Json& map, const std::string& where, bool from_file)
      : map_(map), where_(where), from_file_(from_file) {}

  template <typename T>
  void number(const char* key, T& target, double low, double high) {
    const Json* value = find(key);
    if (value) target = static_cast<T>(number_of(key, *value, low, high, std::is_same_v<T, int64_t>));
  }
  void flag(const char* key, bool& target) {
    const Json* value = find(key);
    if (!value) return;
    const bool is_text = value->is_string() && !from_file_;
    if (is_text && (*value == "true" || *value == "false")) {
      target = *value == "true";
    } else if (value->is_boolean()) {
      target = value->get<bool>();
    } else {
      refuse(key, "true or false", *value);
    }
  }
  void word(const char* key, std::string& target, const std::vector<std::string>& words) {
    const Json* value = find(key);
    if (!value) return;
    if (!value->is_string() || std::find(words.begin(), words.end(), *value) == words.end())
      refuse(key, "one of " + fmt::format("{}", fmt::join(words, ", ")), *value);
    target = value->get<std::string>();
  }
  void names(const char* key, std::vector<std::string>& target) {
    const Json* value = find(key);
    if (value) target = list_of(key, *value);
  }
  void numbers(const char* key, std::vector<int64_t>& target) {
    const Json* value = find(key);
    if (!value) return;
    const auto whole = [&](const Json& item) {
      return static_cast<int64_t>(number_of(key, item, 0, 1e6, true));
    };
    if (value->is_array()) {
      for (const Json& item : *value) target.push_back(whole(item));
    } else if (value->is_string() && !from_file_) {
      for (const std::string& item : split_list(value->get<std::string>())) target.push_back(whole(item));
    } else {
      target.push_back(whole(*value));
    }
  }
  void modules(const char* key, ModuleSet& target) {
    const Json* value = find(key);
    if (!value) return;
    if (!value->is_string()) {
      target.endings = list_of(key, *value);
      return;
    }
    const auto text = value->get<std::string>();
    if (canonical_name(text) == "all_linear") {
      target.all_linear = true;
    } else if (!from_file_ && text.find_first_not_of(kNameCharacters) == std::string::npos) {
      target.endings = split_list(text);
    } else {
      target.expression.emplace(text, where_ + ": " + key);
    }
  }
  template <typename T>
  void patterns(const char* key, std::vector<NamedNumber<T>>& target, double low) {
    const Json* value = find(key);
    if (!value) return;
    if (!value->is_object()) refuse(key, "a map of patterns and numbers", *value);
    for (const auto& [pattern, number] : value->items())
      target.push_back({PythonPattern("(.*\\.)?(" + pattern + ")$", where_ + ": " + key),
                        static_cast<T>(number_of(key, number, low, 1e9, std::is_same_v<T, int64_t>))});
  }
  // Refuses what is not known, unless it is off.
  void finish() const {
    for (const auto& [key, value] : map_.items()) {
      if (kWithoutEffect.count(key) > 0 || read_.count(key) > 0 || is_off(value)) continue;
      refuse(key, from_file_ ? "null: this is not supported" : "a key of PEFT's LoraConfig that we support",
             value);
    }
  }
  void start(LoraConfig& config) const {
    const auto found = map_.find("init_lora_weights");
    if (found == map_.end() || found->is_boolean() || found->is_null()) return;
    const std::string text = found->is_string() ? canonical_name(found->get<std::string>()) : found->dump();
    if (from_file_) {
      for (const std::string& name : kOtherStarts)
        if (text.starts_with(name))
          refuse("init_lora_weights",
                 "a start that leaves the base model's weights as they are and trains both factors", *found);
      return;
    }
    constexpr std::string_view kSearched = "pissa_niter_";
    if (text == "pissa" || text.starts_with(kSearched)) {
      config.start = LoraStart::pissa;
      if (text != "pissa")
        config.start_iterations = static_cast<int64_t>(
            number_of("init_lora_weights", text.substr(kSearched.size()), 1, 1000, /*whole=*/true));
    } else if (text == "eva") {
      config.start = LoraStart::eva;
    } else if (text == "lora_one") {
      config.start = LoraStart::lora_one;
    } else if (text != "true") {
      refuse("init_lora_weights", "true, pissa, pissa_niter_<number>, eva or lora_one", *found);
    }
    if (config.start == LoraStart::pissa && config.use_dora)
      refuse("init_lora_weights", "true, eva or lora_one with use_dora", *found);
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& expected, const Json& value) const {
    const std::string given = value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120);
    from_file_ ? fail(where_, "{}: expected {}, given {}", key, expected, given)
               : fail_usage(where_, "{}: expected {}, given {}", key, expected, given);
  }

 private:
  static constexpr const char* kNameCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-, ";

  const Json* find(const char* key) {
    read_.insert(key);
    const auto found = map_.find(key);
    return found == map_.end() || found->is_null() ? nullptr : &*found;
  }
  double number_of(const std::string& key, const Json& value, double low, double high, bool whole) const {
    double number = std::nan("");
    if (value.is_number()) number = value.get<double>();
    if (value.is_string() && !from_file_) number = parse_number(where_, key, value.get<std::string>());
    if (!(number >= low && number <= high) || (whole && number != std::floor(number)))
      refuse(key, fmt::format("a {}number from {} to {}", whole ? "whole " : "", low, high), value);
    return number;
  }
  std::vector<std::string> list_of(const char* key, const Json& value) const {
    if (value.is_string()) {
      if (!from_file_) return split_list(value.get<std::string>());
      return {value.get<std::string>()};
    }
    std::vector<std::string> list;
    for (const Json& item : value.is_array() ? value : Json::array({value})) {
      if (!item.is_string() || item.get<std::string>().empty()) refuse(key, "a list of names", value);
      list.push_back(item.get<std::string>());
    }
    return list;
  }

  const Json& map_;
  std::string where_;
  bool from_file_;
  std::set<std::string> read_;
};

// Returns the number of the layer that PEFT sees in the name: the number behind a part that `pattern` names,
// or the first number behind the second part.
std::optional<int64_t> layer_in(const std::string& module, const std::vector<std::string>& patterns) {
  std::vector<std::string> expressions;
  for (const std::string& pattern : patterns)
    expressions.push_back("(?:^|.*?\\.)" + pattern + "\\.(?P<idx>\\d+)\\.");
  if (patterns.empty()) expressions.emplace_back(".*?\\.[^.]*\\.(?P<idx>\\d+)\\.");
  for (const std::string& expression : expressions)
    if (const auto number = PythonPattern(expression, "layers_pattern").group_at_start(module, "idx"))
      return std::stoll(*number);
  return std::nullopt;
}

}  // namespace

bool ModuleSet::names(const std::string& module) const {
  return expression ? expression->matches(module) : is_named_by(module, endings);
}

int64_t LoraConfig::rank_of(const std::string& module) const {
  for (const auto& [pattern, rank] : rank_pattern)
    if (pattern.matches(module)) return rank;
  return r;
}

double LoraConfig::scale_of(const std::string& module) const {
  const auto rank = static_cast<double>(rank_of(module));
  double alpha = lora_alpha;
  for (auto named = alpha_pattern.rbegin(); named != alpha_pattern.rend(); ++named)
    if (named->pattern.matches(module)) alpha = named->value;
  return alpha / (use_rslora ? std::sqrt(rank) : rank);
}

bool LoraConfig::targets(const std::string& module, bool in_all_linear) const {
  if (saves(module) || exclude_modules.names(module)) return false;
  if (target_modules.all_linear) return in_all_linear;
  if (!target_modules.names(module)) return false;
  const auto& endings = target_modules.endings;
  if (layers_to_transform.empty() || std::find(endings.begin(), endings.end(), module) != endings.end())
    return true;
  const auto layer = layer_in(module, layers_pattern);
  return layer && std::count(layers_to_transform.begin(), layers_to_transform.end(), *layer) > 0;
}

bool LoraConfig::saves(const std::string& module) const {
  for (std::string around = module; !around.empty();) {
    for (const std::string& ending : modules_to_save)
      if (around.ends_with(ending)) return true;
    const size_t dot = around.rfind('.');
    around = dot == std::string::npos ? "" : around.substr(0, dot);
  }
  return false;
}

LoraConfig read_lora_config(const Json& map, const std::string& where, bool from_file) {
  LoraConfig config;
  Reader reader(map, where, from_file);
  reader.number("r", config.r, 1, 1e6);
  reader.number("lora_alpha", config.lora_alpha, 0, 1e9);
  reader.number("lora_dropout", config.lora_dropout, 0, 0.999);
  reader.flag("use_rslora", config.use_rslora);
  reader.flag("use_dora", config.use_dora);
  reader.word("bias", config.bias, {"none", "all", "lora_only"});
  reader.modules("target_modules", config.target_modules);
  reader.modules("exclude_modules", config.exclude_modules);
  reader.numbers("layers_to_transform", config.layers_to_transform);
  reader.names("layers_pattern", config.layers_pattern);
  reader.patterns("rank_pattern", config.rank_pattern, 1);
  reader.patterns("alpha_pattern", config.alpha_pattern, 0);
  reader.names("modules_to_save", config.modules_to_save);
  reader.start(config);
  reader.finish();
  if (config.target_modules.empty()) {
    if (from_file) reader.refuse("target_modules", "a list, a regular expression or all-linear", nullptr);
    config.target_modules.all_linear = true;
  }
  if (!config.layers_to_transform.empty() && config.target_modules.expression)
    reader.refuse("layers_to_transform", "null where target_modules is a regular expression",
                  map.at("layers_to_transform"));
  config.given = map;
  return config;
}

}  // namespace galore
