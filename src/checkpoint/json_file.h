// Reads JSON files of unknown origin: size and depth are limited, and a value of the wrong type is an Error
// that names its key.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/errors.h"
#include "core/files.h"

namespace galore {

using Json = nlohmann::json;

inline constexpr uint64_t kLargestJsonFile = 100'000'000;

// Parses a text with an object as its outermost value. `where` names the text in messages. NaN, Infinity and
// -Infinity, which Python writes although JSON does not allow them, are Errors.
Json parse_json_object(const std::string& where, const std::string& text);
Json read_json_object(const Path& path);
// Returns the value as indented text that ends with a line end. Invalid UTF-8 is replaced.
std::string json_text(const Json& value);

// Returns the value of type T under `key`. A missing key, null or a value of another type is an Error that
// names the key.
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
