#include "tokenizer/json_fields.h"

#include "tokenizer/text_repair.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

using Json = nlohmann::json;

constexpr size_t kShownBytes = 80;

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kShownBytes) return text;
  text.resize(kShownBytes);
  return text += "...";
}

}  // namespace

Json read_tokenizer_json(const Path& path) {
  constexpr uint64_t kLargest = 256u << 20;
  Json json = Json::parse(read_file(path, kLargest), nullptr, false);
  if (!json.is_object()) fail(path.string(), "expected a JSON object");
  return json;
}

JsonFields::JsonFields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object_.is_object()) fail(where_, "expected a JSON object, given {}", shown(object_));
}

const Json* JsonFields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::required(const char* key) const {
  const Json* value = find(key);
  if (!value) fail(where_, "{}: missing", key);
  return *value;
}

void JsonFields::refuse(const char* key, const std::string& expected) const {
  fail(where_, "{}: expected {}, given {}", key, expected, shown(required(key)));
}

std::optional<bool> JsonFields::optional_flag(const char* key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

bool JsonFields::flag(const char* key, bool missing) const { return optional_flag(key).value_or(missing); }

int64_t JsonFields::integer(const char* key, int64_t missing) const {
  const Json* value = find(key);
  if (!value) return missing;
  if (!value->is_number_integer() || *value < 0 || *value > INT32_MAX)
    refuse(key, "an integer from 0 to 2147483647");
  return value->get<int64_t>();
}

std::optional<std::string> JsonFields::optional_text(const char* key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, "a text");
  return value->get<std::string>();
}

std::string JsonFields::text(const char* key) const {
  required(key);
  return *optional_text(key);
}

std::string JsonFields::text(const char* key, const std::string& missing) const {
  return optional_text(key).value_or(missing);
}

char32_t JsonFields::character(const char* key) const {
  const std::string value = text(key);
  if (count_code_points(value) != 1) refuse(key, "one character");
  return first_code_point(value).value;
}

const Json& JsonFields::array(const char* key) const {
  if (!required(key).is_array()) refuse(key, "a list");
  return required(key);
}

JsonFields JsonFields::object(const char* key) const { return {required(key), place(key)}; }

JsonFields::Pattern JsonFields::pattern(const char* key) const {
  const Json& value = required(key);
  for (const char* kind : {"String", "Regex"})
    if (value.is_object() && value.contains(kind) && value[kind].is_string())
      return {value[kind].get<std::string>(), std::string(kind) == "Regex"};
  refuse(key, R"({"String": ...} or {"Regex": ...})");
}

int32_t JsonFields::token_id(const char* key) const {
  const Json& value = array(key);
  if (value.size() != 2 || !value[1].is_number_integer() || value[1] < 0 || value[1] > INT32_MAX)
    refuse(key, "a token's text and its id");
  return value[1].get<int32_t>();
}

}  // namespace galore
