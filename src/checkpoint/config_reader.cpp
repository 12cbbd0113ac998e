#include "checkpoint/config_reader.h"

#include <cmath>

#include "checkpoint/rope_json.h"
#include "core/errors.h"

namespace galore {
namespace {

double number(const std::string& where, const ConfigKey& key, const Json& value) {
  double result = json_value<double>(where, Json{{key.name, value}}, key.name);
  if (!std::isfinite(result) || result < key.low || result > key.high)
    fail("config", "{}: '{}' must lie in {} to {}, given {}", where, key.name, key.low, key.high,
         shown(value));
  return result;
}

}  // namespace

void ConfigReader::read(const ConfigKey& key, ModelConfig& config) const {
  const auto found = json_.find(key.name);
  const Json* value = found == json_.end() || found->is_null() ? nullptr : &*found;
  std::visit([&](auto member) { set(key, value, config.*member); }, key.member);
}

void ConfigReader::set(const ConfigKey& key, const Json* value, int64_t& target) const {
  if (value == nullptr) {
    target = static_cast<int64_t>(key.fallback);
    return;
  }
  if (!value->is_number_integer())
    fail("config", "{}: '{}' must be a whole number, given {}", where_, key.name, shown(*value));
  target = static_cast<int64_t>(number(where_, key, *value));
}

void ConfigReader::set(const ConfigKey& key, const Json* value, double& target) const {
  target = value == nullptr ? key.fallback : number(where_, key, *value);
}

void ConfigReader::set(const ConfigKey& key, const Json* value, bool& target) const {
  if (value != nullptr && !value->is_boolean())
    fail("config", "{}: '{}' must be true or false, given {}", where_, key.name, shown(*value));
  target = value == nullptr ? key.fallback != 0 : value->get<bool>();
}

void ConfigReader::set(const ConfigKey& key, const Json* value, std::optional<int64_t>& target) const {
  if (value != nullptr && value->is_array()) value = value->empty() ? nullptr : &value->front();
  int64_t id = json_.contains(key.name) ? static_cast<int64_t>(kNone) : static_cast<int64_t>(key.fallback);
  if (value != nullptr) set(key, value, id);
  target = id < 0 ? std::nullopt : std::optional<int64_t>(id);
}

void ConfigReader::set(const ConfigKey& key, const Json* value, std::optional<double>& target) const {
  target.reset();
  if (value != nullptr) target = number(where_, key, *value);
  if (!json_.contains(key.name) && key.fallback != kNone) target = key.fallback;
}

void ConfigReader::set(const ConfigKey& key, const Json* value, std::vector<int64_t>& target) const {
  target.clear();
  if (value == nullptr) return;
  if (!value->is_array() || value->size() > static_cast<size_t>(kLargestCount))
    fail("config", "{}: '{}' must be a list of numbers, given {}", where_, key.name, shown(*value));
  for (const Json& element : *value) set(key, &element, target.emplace_back());
}

}  // namespace galore
