// JSON files from outside: bounded in size and depth, wrong types named by key.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/errors.h"
#include "core/files.h"

namespace galore {

using Json = nlohmann::json;

inline constexpr uint64_t kLargestJsonFile = 100'000'000;

// `where` names the text in messages. The outermost value must be an object. NaN, Infinity and -Infinity,
// which Python writes and JSON does not have, are Errors.
Json parse_json_object(const std::string& where, const std::string& text);
Json read_json_object(const Path& path);
// Indented, with a line end; invalid UTF-8 is replaced.
std::string json_text(const Json& value);

// The value under `key`, of type T; a missing key, null or another type is an Error that names the key.
template <typename T>
T json_value(const std::string& where, const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end()) fail("json", "{}: no key '{}'", where, key);
  try {
    if constexpr (std::is_same_v<T, double> || std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t>) {
      constexpr bool whole = !std::is_same_v<T, double>, natural = std::is_same_v<T, uint64_t>;
      if (!found->is_number() || (whole && !found->is_number_integer()) ||
          (natural && !found->is_number_unsigned()))
        throw std::invalid_argument("another kind of number");
    }
    return found->get<T>();
  } catch (const std::exception&) {
    fail("json", "{}: key '{}' has an unexpected value: {}", where, key,
         found->dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120));
  }
}

}  // namespace galore
