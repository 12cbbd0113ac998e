#include "optim/preset_table.h"

#include <fmt/format.h>

#include "core/options.h"
#include "optim/presets.h"
#include "optim/presets/notes.h"

namespace galore {
namespace {

std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      quoted += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      quoted += c;
  }
  return quoted + "\"";
}

template <typename Items, typename Text>
std::string json_list(const Items& items, const Text& text) {
  std::string list;
  for (const auto& item : items) list += (list.empty() ? "" : ",\n") + text(item);
  return "[" + list + "]";
}

std::string json_texts(const std::vector<std::string>& texts) {
  return json_list(texts, [](const std::string& text) { return json_text(text); });
}

std::string json_bound(const std::optional<double>& bound) {
  return bound ? fmt::format("{}", *bound) : "null";
}

std::string json_option(const std::unique_ptr<Option>& option) {
  return fmt::format(
      R"({{"name": {}, "type": {}, "default": {}, "help": {}, "origin": {}, "choices": {}, "aliases": {}, )"
      R"("low": {}, "high": {}}})",
      json_text(option->name()), json_text(option->type()), json_text(option->default_text()),
      json_text(option->help()), json_text(option->origin()), json_texts(option->allowed()),
      json_texts(option->aliases()), json_bound(option->low()), json_bound(option->high()));
}

std::string json_preset(const Preset& preset) {
  OptimizerSettings settings = preset.settings();
  OptionTable table;
  declare_options(table, settings);
  const PresetNote note = preset_note(preset.name);
  return fmt::format(
      R"({{"name": {}, "aliases": {}, "title": {}, "paper": {}, "equation": {}, "departures": {}, )"
      R"("state": {}, "projects": {}, "options": {}}})",
      json_text(preset.name), json_texts(preset.aliases), json_text(preset.title), json_text(preset.paper),
      json_text(note.equation), json_text(note.departures), json_text(preset.state_formula),
      settings.method ? "true" : "false", json_list(table.options(), json_option));
}

}  // namespace

std::string preset_table_json() {
  OptimizerOptions options;
  OptionTable common;
  declare_options(common, options);
  return fmt::format(R"({{"presets": {}, "common": {}}})", json_list(presets(), json_preset),
                     json_list(common.options(), json_option));
}

}  // namespace galore
