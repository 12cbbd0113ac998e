#include "cli/option_schema.h"

#include <cmath>

#include "optim/presets.h"

namespace galore {
namespace {

using OrderedJson = nlohmann::ordered_json;

// These patterns also accept texts, because YAML readers disagree whether 1e-4 is a number or a text.
constexpr const char* kNumber = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?inf$";
constexpr const char* kCount = "^[+-]?[0-9]+\\.?[0-9]*([eE][+-]?[0-9]+)?[KMBkmb]?$";

OrderedJson optimizer_names() {
  OrderedJson names = OrderedJson::array();
  const auto add = [&](const std::string& name) {
    names.push_back(name);
    names.push_back(name + "_layerwise");
  };
  for (const Preset& preset : presets()) {
    add(preset.name);
    for (const std::string& alias : preset.aliases) add(alias);
  }
  return names;
}

bool is_map(const std::string& name) {
  return name == "optim_args" || name == "optim_overrides" || name == "lr_scheduler_kwargs" ||
         name == "mixture" || name == "mixture_args";
}

// Describes a number as the table checks it. The schema cannot check the range of a number written as text.
OrderedJson number_of(const Option& option) {
  const bool whole = option.type() == "int";
  OrderedJson number{{"type", {"number", "string", "null"}}, {"pattern", whole ? kCount : kNumber}};
  if (whole) number["multipleOf"] = 1;
  if (option.low() && std::isfinite(*option.low())) number["minimum"] = *option.low();
  if (option.high() && std::isfinite(*option.high()))
    number[option.high_is_open() ? "exclusiveMaximum" : "maximum"] = *option.high();
  return number;
}

OrderedJson values_of(const Option& option) {
  if (!option.allowed().empty()) {
    OrderedJson values = option.allowed();
    if (std::find(values.begin(), values.end(), option.default_text()) == values.end())
      values.push_back(option.default_text());
    values.push_back(nullptr);
    // YAML reads an unquoted `no` as false.
    if (std::find(values.begin(), values.end(), "no") != values.end()) values.push_back(false);
    return {{"enum", values}};
  }
  if (option.name() == "optim")
    return {{"anyOf", {{{"enum", optimizer_names()}}, {{"type", {"object", "null"}}}}}};
  if (option.type() == "bool") {
    OrderedJson values{true, false, "true", "false", nullptr};
    for (const std::string& word : option.words()) values.push_back(word);
    return {{"enum", values}};
  }
  if (option.type() == "int" || option.type() == "float") return number_of(option);
  if (is_map(option.name())) return {{"type", {"string", "object", "array", "null"}}};
  if (option.type() == "list") return {{"type", {"array", "string", "null"}}};
  return {{"type", {"string", "number", "boolean", "null"}}};
}

OrderedJson default_of(const Option& option) {
  const std::string& text = option.default_text();
  if (option.type() == "bool") return text == "true";
  if (option.type() == "list") return split_list(text);
  if (option.type() != "int" && option.type() != "float") return text;
  const OrderedJson number = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  return number.is_number() ? number : OrderedJson(text);
}

}  // namespace

OrderedJson option_schema(const OptionTable& table) {
  OrderedJson properties = OrderedJson::object();
  for (const auto& option : table.options()) {
    OrderedJson property{{"description", option->help()}, {"default", default_of(*option)}};
    property.update(values_of(*option));
    properties[option->name()] = property;
    for (const std::string& alias : option->aliases()) {
      OrderedJson same = values_of(*option);
      same["description"] = "the same as " + option->name();
      properties[alias] = same;
    }
  }
  // The section `data` of a file holds options that may also stand at its top (config_file.h).
  OrderedJson data = OrderedJson::object();
  for (const auto& option : table.options())
    if (option->group() == "Data") data[option->name()] = properties[option->name()];
  properties["data"] = {{"description", "a section for the options of the data"},
                        {"type", {"object", "null"}},
                        {"properties", data},
                        {"additionalProperties", true}};
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "galore train"},
          {"type", "object"},
          {"properties", properties},
          {"additionalProperties", false}};
}

}  // namespace galore
