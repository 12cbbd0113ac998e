#include "tokenizer/tokenizer_config.h"

#include <array>
#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "tokenizer/json_fields.h"

namespace galore {
namespace {

using Json = nlohmann::json;

std::optional<Json> read_json(const Path& path, TokenizerConfig& config) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  config.files.push_back(path);
  return read_tokenizer_json(path);
}

void read_bool(const Path& path, const Json& json, const char* key, bool& target) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  if (!found->is_boolean()) fail(path.string(), "{}: expected true or false, given {}", key, found->dump());
  target = *found;
}

// Reads a token that is given as a text or as an object with "content". Null means that there is no such
// token.
std::optional<std::string> token_text(const Path& path, const Json& value) {
  if (value.is_null()) return std::nullopt;
  const Json* text = &value;
  if (value.is_object() && value.contains("content")) text = &value["content"];
  if (!text->is_string()) fail(path.string(), "expected a token's text, given {}", value.dump());
  return text->get<std::string>();
}

void read_token(const Path& path, const Json& json, const char* key, std::optional<std::string>& target) {
  if (const auto found = json.find(key); found != json.end()) target = token_text(path, *found);
}

void read_named_tokens(const Path& path, const Json& json, TokenizerConfig& config) {
  read_token(path, json, "bos_token", config.bos_token);
  read_token(path, json, "eos_token", config.eos_token);
  read_token(path, json, "unk_token", config.unk_token);
  read_token(path, json, "pad_token", config.pad_token);
  const auto add = [&](const Json& value) {
    if (auto text = token_text(path, value)) config.other_special_tokens.push_back(*text);
  };
  for (const char* key : {"sep_token", "cls_token", "mask_token"})
    if (const auto found = json.find(key); found != json.end()) add(*found);
  const auto additional = json.find("additional_special_tokens");
  if (additional == json.end() || !additional->is_array()) return;
  for (const Json& value : *additional) add(value);
}

int64_t parse_id(const Path& path, const Json& value) {
  if (!value.is_number_integer() || value < 0 || value > INT32_MAX)
    fail(path.string(), "expected a token id, given {}", value.dump());
  return value;
}

void read_added_tokens(const Path& path, const Json& json, TokenizerConfig& config) {
  const auto found = json.find("added_tokens_decoder");
  if (found == json.end() || !found->is_object()) return;
  for (const auto& [key, value] : found->items()) {
    AddedToken token;
    const auto content = token_text(path, value);
    if (!content || content->empty()) fail(path.string(), "added token {}: expected its content", key);
    token.content = *content;
    if (value.is_object()) {
      token.special = false;
      read_bool(path, value, "special", token.special);
      read_bool(path, value, "lstrip", token.strip_left);
      read_bool(path, value, "rstrip", token.strip_right);
    }
    config.added_tokens[parse_id(path, Json::parse(key, nullptr, false))] = token;
  }
}

void check_class(const Path& path, const Json& json) {
  const std::string name = json.value("tokenizer_class", Json("LlamaTokenizer")).is_string()
                               ? json.value("tokenizer_class", std::string("LlamaTokenizer"))
                               : "null";
  static const std::array known = {"LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", "null"};
  if (std::find(known.begin(), known.end(), name) == known.end())
    fail(path.string(), "tokenizer_class: expected LlamaTokenizer for a SentencePiece model, given '{}'",
         name);
}

// A tokenizer.json in the same folder decides in transformers how a text begins.
void read_fast_normalizer(const Json& json, TokenizerConfig& config) {
  const std::string normalizer = json.value("normalizer", Json()).dump();
  const std::string pre_tokenizer = json.value("pre_tokenizer", Json()).dump();
  if (normalizer.find("\"Prepend\"") != std::string::npos)
    config.legacy = true;
  else if (pre_tokenizer.find("\"prepend_scheme\":\"first\"") != std::string::npos)
    config.legacy = false;
}

}  // namespace

TokenizerConfig read_tokenizer_config(const Path& directory) {
  TokenizerConfig config;
  const Path map_path = directory / "special_tokens_map.json";
  if (const auto json = read_json(map_path, config)) read_named_tokens(map_path, *json, config);
  const Path added_path = directory / "added_tokens.json";
  if (const auto json = read_json(added_path, config))
    for (const auto& [content, id] : json->items())
      config.added_tokens[parse_id(added_path, id)] = {content, false, false, false};
  const Path path = directory / "tokenizer_config.json";
  if (const auto json = read_json(path, config)) {
    check_class(path, *json);
    read_bool(path, *json, "add_bos_token", config.add_bos_token);
    read_bool(path, *json, "add_eos_token", config.add_eos_token);
    read_bool(path, *json, "legacy", config.legacy);
    read_bool(path, *json, "split_special_tokens", config.split_special_tokens);
    read_bool(path, *json, "clean_up_tokenization_spaces", config.clean_up_spaces);
    if (const auto found = json->find("add_prefix_space"); found != json->end() && found->is_boolean())
      config.add_prefix_space = found->get<bool>();
    read_named_tokens(path, *json, config);
    read_added_tokens(path, *json, config);
  }
  if (const auto json = read_json(directory / "tokenizer.json", config)) read_fast_normalizer(*json, config);
  if (const Path chat = directory / "chat_template.jinja"; std::filesystem::exists(chat))
    config.files.push_back(chat);
  return config;
}

}  // namespace galore
