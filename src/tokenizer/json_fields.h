// Access to the keys of one JSON object of a tokenizer file. Errors name the file, the place in it, the key
// and the value that was given.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/errors.h"
#include "core/files.h"

namespace galore {

// Reads a tokenizer file that must hold one JSON object; any other content is an Error.
nlohmann::json read_tokenizer_json(const Path& path);

class JsonFields {
 public:
  // `where` is the file and the place in it: "tokenizer.json: pre_tokenizer".
  JsonFields(const nlohmann::json& object, std::string where);

  // Returns null when the key is missing or its value is JSON null.
  const nlohmann::json* find(const char* key) const;
  const nlohmann::json& required(const char* key) const;
  bool flag(const char* key, bool missing) const;
  std::optional<bool> optional_flag(const char* key) const;
  int64_t integer(const char* key, int64_t missing) const;
  std::string text(const char* key) const;
  std::string text(const char* key, const std::string& missing) const;
  std::optional<std::string> optional_text(const char* key) const;
  char32_t character(const char* key) const;
  const nlohmann::json& array(const char* key) const;
  JsonFields object(const char* key) const;
  // A pattern is a plain text or an object: {"String": "x"} or {"Regex": "x"}.
  struct Pattern {
    std::string text;
    bool is_regex = false;
  };
  Pattern pattern(const char* key) const;
  // Returns the id of a token that is written as [text, id]. The post-processors of BERT and RoBERTa write
  // tokens in this form.
  int32_t token_id(const char* key) const;

  const std::string& where() const { return where_; }
  std::string place(const std::string& key) const { return where_ + "." + key; }
  [[noreturn]] void refuse(const char* key, const std::string& expected) const;

 private:
  const nlohmann::json& object_;
  std::string where_;
};

// A row in a table of components: the "type" in the file and the function that makes the component from its
// fields.
template <typename Component>
struct ComponentKind {
  const char* type;
  std::unique_ptr<Component> (*make)(const JsonFields&);

  // The usual makers: of_fields() for components with options and plain() for components without.
  template <typename Kind>
  static std::unique_ptr<Component> of_fields(const JsonFields& fields) {
    return std::make_unique<Kind>(fields);
  }
  template <typename Kind>
  static std::unique_ptr<Component> plain(const JsonFields&) {
    return std::make_unique<Kind>();
  }
};

// Makes the component that `json` describes. An unknown type is an Error that names it and lists the known
// types.
template <typename Component, typename Table>
std::unique_ptr<Component> make_component(const Table& table, const nlohmann::json& json,
                                          const std::string& where) {
  const JsonFields fields(json, where);
  const std::string type = fields.text("type");
  std::string known;
  for (const ComponentKind<Component>& kind : table) {
    if (type == kind.type) return kind.make(fields);
    known += (known.empty() ? "" : ", ") + std::string(kind.type);
  }
  fail(where, "type: '{}' is not known; known: {}", type, known);
}

}  // namespace galore
