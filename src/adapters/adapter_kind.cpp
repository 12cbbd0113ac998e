#include "adapters/adapter_kind.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr const char* kWhere = "adapter_args";

const std::vector<AdapterKind>& kinds() {
#define GALORE_CALL_ADAPTER(name) name##_adapter(),
  static const std::vector<AdapterKind> all{GALORE_ADAPTERS(GALORE_CALL_ADAPTER)};
#undef GALORE_CALL_ADAPTER
  return all;
}

Adapter::Json parse_map(const std::string& text) {
  try {
    Adapter::Json map = Adapter::Json::parse(text);
    if (map.is_object()) return map;
  } catch (const nlohmann::json::exception& error) {
    fail_usage(kWhere, "expected a map in JSON or k=v,k=v: {}", error.what());
  }
  fail_usage(kWhere, "expected a map in JSON or k=v,k=v");
}

std::vector<std::string> split_outside_brackets(const std::string& text) {
  std::vector<std::string> items(1);
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    // The text form of lists (core/option_lists.h) puts a backslash before a comma that separates nothing.
    if (text.compare(i, 2, "\\,") == 0) {
      items.back() += text[++i];
      continue;
    }
    const char c = text[i];
    depth += (c == '{' || c == '[' || c == '(') - (c == '}' || c == ']' || c == ')');
    if (c == ',' && depth <= 0) {
      items.emplace_back();
    } else {
      items.back() += c;
    }
  }
  return items;
}

// Returns the place of the "=" after a key, or npos if the item does not begin with a key.
size_t end_of_key(const std::string& item) {
  const size_t at = item.find('=');
  const bool is_key = at != 0 && at != std::string::npos &&
                      std::all_of(item.begin(), item.begin() + static_cast<ptrdiff_t>(at),
                                  [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
  return is_key ? at : std::string::npos;
}

// Returns a list or a map in JSON as it is, and any other text as a string.
Adapter::Json value_of(const std::string& text) {
  if (!text.empty() && (text.front() == '{' || text.front() == '[')) {
    Adapter::Json value = Adapter::Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!value.is_discarded()) return value;
  }
  return text;
}

Adapter::Json parse_pairs(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& item : split_outside_brackets(text)) {
    const size_t at = end_of_key(item);
    if (at != std::string::npos) {
      pairs.emplace_back(item.substr(0, at), item.substr(at + 1));
    } else if (!pairs.empty()) {
      pairs.back().second += "," + item;
    } else if (!item.empty()) {
      fail_usage(kWhere, "expected k=v,k=v or a map in JSON, given '{}'", item);
    }
  }
  Adapter::Json map = Adapter::Json::object();
  for (const auto& [key, value] : pairs) map[key] = value_of(value);
  return map;
}

std::string text_of(const Adapter::Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> items;
  for (const auto& item : value) items.push_back(text_of(item));
  return fmt::format("{}", fmt::join(items, ","));
}

}  // namespace

const AdapterKind& adapter_kind(const std::string& name) {
  for (const AdapterKind& kind : kinds())
    if (canonical_name(name) == kind.name) return kind;
  fail_usage("adapter", "expected one of: {}; given '{}'", fmt::join(adapter_names(), ", "), name);
}

std::vector<std::string> adapter_names() {
  std::vector<std::string> names;
  for (const AdapterKind& kind : kinds()) names.emplace_back(kind.name);
  return names;
}

Adapter::Json parse_adapter_args(const std::string& text) {
  const bool is_map = !text.empty() && text.front() == '{';
  const Adapter::Json given = is_map ? parse_map(text) : parse_pairs(text);
  Adapter::Json map = Adapter::Json::object();
  for (const auto& [key, value] : given.items()) map[canonical_name(key)] = value;
  return map;
}

void set_options(OptionTable& table, const Adapter::Json& arguments) {
  for (const auto& [name, value] : arguments.items()) table.set(kWhere, name, text_of(value));
}

void take_own_options(OptionTable& table, Adapter::Json& arguments) {
  Adapter::Json own = Adapter::Json::object();
  for (const auto& option : table.options()) {
    const auto found = arguments.find(option->name());
    if (found == arguments.end()) continue;
    own[option->name()] = *found;
    arguments.erase(option->name());
  }
  set_options(table, own);
}

}  // namespace galore
