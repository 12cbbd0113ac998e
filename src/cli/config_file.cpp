#include "cli/config_file.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/option_lists.h"

namespace galore {
namespace {

// Returns a map as JSON, with all values as texts.
std::string json_of(const YAML::Node& map, const std::string& where) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& item : map) {
    if (!item.second.IsScalar()) fail_usage(where, "expected a plain value for {}", item.first.Scalar());
    json[item.first.Scalar()] = item.second.Scalar();
  }
  return json.dump();
}

std::string text_of(const YAML::Node& node, const std::string& where);

// Returns "a=1,b=2". Commas inside values are kept, and a map as a value becomes JSON.
std::string map_text(const YAML::Node& node, const std::string& where) {
  std::vector<std::string> pairs;
  for (const auto& item : node) {
    const YAML::Node& value = item.second;
    pairs.push_back(item.first.Scalar() + "=" +
                    (value.IsMap() ? json_of(value, where) : text_of(value, where)));
  }
  return join_list(pairs);
}

// Converts a map to "a=1,b=2", a list of plain values to "1,2", and a list of maps to "a=1,b=2;a=3". Each
// item of a list is one value, commas included.
std::string text_of(const YAML::Node& node, const std::string& where) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsNull()) return "";
  if (node.IsMap()) return map_text(node, where);
  std::string maps;
  std::vector<std::string> values;
  for (const auto& item : node) {
    if (item.IsSequence()) fail_usage(where, "expected a list of plain values or of maps");
    if (item.IsMap())
      maps += (maps.empty() ? "" : ";") + map_text(item, where);
    else
      values.push_back(text_of(item, where));
  }
  if (!maps.empty() && !values.empty()) fail_usage(where, "expected a list of plain values or of maps");
  return maps.empty() ? join_list(values) : maps;
}

bool is_config_file(const std::string& argument) {
  return !argument.starts_with('-') && (argument.ends_with(".yaml") || argument.ends_with(".yml")) &&
         argument.find('=') == std::string::npos;
}

// The options of this section may stand below it or at the top.
constexpr const char* kDataSection = "data";

using Where = std::function<std::string(const YAML::Node& key)>;

YAML::Node parse(const std::string& text, const std::string& where) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    fail_usage(where, "line {}: {}", error.mark.line + 1, error.msg);
  }
}

template <typename Entry>
void set_key(const Entry& entry, const Where& where, OptionTable& table) {
  const std::string place = where(entry.first);
  if (!entry.second.IsNull()) table.set(place, entry.first.Scalar(), text_of(entry.second, place));
}

void set_keys(const YAML::Node& root, const Where& where, OptionTable& table) {
  for (const auto& entry : root) {
    const bool is_section = entry.first.Scalar() == kDataSection && entry.second.IsMap();
    for (const auto& key : is_section ? entry.second : YAML::Node()) set_key(key, where, table);
    if (!is_section) set_key(entry, where, table);
  }
}

}  // namespace

void read_config_file(const std::string& path, OptionTable& table) {
  const YAML::Node root = parse(read_file(path, 16 << 20), path);
  if (root.IsNull()) return;
  if (!root.IsMap()) fail_usage(path, "expected `key: value` lines");
  const auto where = [&](const YAML::Node& key) { return fmt::format("{}:{}", path, key.Mark().line + 1); };
  set_keys(root, where, table);
}

void read_config_object(const std::string& json, const std::string& where, OptionTable& table) {
  set_keys(
      parse(json, where), [&](const YAML::Node&) { return where; }, table);
}

bool parse_with_config(const std::string& command, OptionTable& table, Arguments arguments) {
  std::vector<std::string>& words = arguments.words;
  if (!words.empty() && is_config_file(words[0])) {
    read_config_file(words[0], table);
    words.erase(words.begin());
  }
  return parse_arguments(command, table, arguments);
}

}  // namespace galore
