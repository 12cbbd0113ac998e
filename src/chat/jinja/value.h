// The values of a template: those of Python that JSON and template literals can make.
//
// Lists and dicts never change after they were made, as in transformers' ImmutableSandboxedEnvironment, so
// values share them and no cycle can arise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "chat/jinja/budget.h"

namespace galore::jinja {

class Value;
class Run;
using Items = std::vector<Value>;

// The arguments of a call.
struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;
};

struct None {};
// A name or an attribute that does not exist. It prints as nothing; most other uses raise `why`.
struct Undefined {
  std::shared_ptr<const std::string> why;
};
// `safe` marks the result of the filter `safe`: text that is joined to it by "+" is escaped.
struct Text {
  std::shared_ptr<const std::string> bytes;
  bool safe = false;
};

enum class SequenceKind {
  list,
  tuple,
  items,  // views of a dict: they have a length, but no subscripts
  keys,
  values,
  generator  // can be read once, and has neither length nor subscripts
};
struct SequenceData {
  Items items;
  int depth = 1;          // how deeply values are nested
  bool consumed = false;  // true after a generator was read
};
struct Sequence {
  SequenceKind kind = SequenceKind::list;
  std::shared_ptr<SequenceData> data;
};

class Dict;

// A value with attributes of its own: a function, a macro, a namespace or a loop.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string type_name() const = 0;
  virtual std::optional<Value> attribute(std::string_view name) const;
  virtual bool is_callable() const { return false; }
  virtual Value call(Run& run, const Arguments& arguments) const;
};

class Value {
 public:
  using Payload = std::variant<None, Undefined, bool, int64_t, double, Text, Sequence,
                               std::shared_ptr<const Dict>, std::shared_ptr<Object>>;

  Value() = default;
  template <typename T>
  requires(std::is_same_v<T, None> || std::is_same_v<T, Undefined> || std::is_same_v<T, bool> ||
           std::is_same_v<T, int64_t> || std::is_same_v<T, double> || std::is_same_v<T, Text> ||
           std::is_same_v<T, Sequence> || std::is_same_v<T, std::shared_ptr<const Dict>> ||
           std::is_same_v<T, std::shared_ptr<Object>>) Value(T payload)
      : data_(std::move(payload)) {}

  template <typename T>
  const T* as() const {
    return std::get_if<T>(&data_);
  }
  bool is_none() const { return as<None>() != nullptr; }
  bool is_undefined() const { return as<Undefined>() != nullptr; }
  // Returns the text of a string, or null.
  const std::string* text() const {
    const Text* text = as<Text>();
    return text ? text->bytes.get() : nullptr;
  }
  // Returns the items of a list or a tuple, or null.
  const Items* list() const;
  const Dict* dict() const;
  const Object* object() const;
  // Returns the value as Python's int, which a bool is, too.
  std::optional<int64_t> integer() const;
  // Returns the value of a bool, an int or a float.
  std::optional<double> number() const;
  int depth() const;

 private:
  Payload data_;
};

template <typename Kind, typename... Args>
Value make_object(Args&&... args) {
  return std::shared_ptr<Object>(std::make_shared<Kind>(std::forward<Args>(args)...));
}

// A dict in the order of its insertions.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;
  // Replaces the value of a key that is there. A key that Python cannot hash is a fault.
  void set(const Value& key, Value value);
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<Entry>& entries() const { return entries_; }
  int depth() const { return depth_; }

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> index_;
  int depth_ = 1;
};

// These functions make values and charge their size to the budget.
Value make_text(Budget& budget, std::string text, bool safe = false);
Value make_sequence(Budget& budget, SequenceKind kind, Items items);
inline Value make_list(Budget& budget, Items items) {
  return make_sequence(budget, SequenceKind::list, std::move(items));
}
Value make_dict(Budget& budget, Dict dict);
Value make_undefined(std::string why);

// Returns Python's name of the type, as in "'int' object is not iterable".
std::string type_name(const Value& value);
bool is_true(const Value& value);
// Compares as Python's ==, in which True == 1 == 1.0.
bool is_equal(Budget& budget, const Value& a, const Value& b);
// Compares as Python's <; types without an order are a fault.
bool is_less(Budget& budget, const Value& a, const Value& b);
// Returns the items that Python's iter() gives: characters of a string, keys of a dict.
Items items_of(Budget& budget, const Value& value);
// Returns Python's len(); a type without it is a fault.
int64_t length_of(const Value& value);
// Raises the fault of an undefined value.
void require_defined(const Value& value);

}  // namespace galore::jinja
