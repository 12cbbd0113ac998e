// The methods of Python's dict and list that change nothing.
#include "chat/jinja/methods.h"

#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"

namespace galore::jinja {
namespace {

class BoundMethod : public Object {
 public:
  BoundMethod(Method method, Value self) : method_(method), self_(std::move(self)) {}
  std::string type_name() const override { return "builtin_function_or_method"; }
  bool is_callable() const override { return true; }
  Value call(Run& run, const Arguments& arguments) const override { return method_(run, self_, arguments); }

 private:
  Method method_;
  Value self_;
};

Value dict_get(Run& /*run*/, const Value& self, const Arguments& arguments) {
  const Parameters given("get", arguments, {"key", "default"}, 1);
  const Value* found = self.dict()->find(given.value(0));
  return found ? *found : given.value(1);
}

template <typename Pick>
Value view_of(Run& run, SequenceKind kind, const Value& self, Pick pick) {
  Items items;
  run.budget.step(static_cast<int64_t>(self.dict()->entries().size()));
  for (const auto& entry : self.dict()->entries()) items.push_back(pick(entry));
  return make_sequence(run.budget, kind, std::move(items));
}

Value dict_items(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters none("items", arguments, {});
  return view_of(run, SequenceKind::items, self, [&](const Dict::Entry& entry) {
    return make_sequence(run.budget, SequenceKind::tuple, {entry.first, entry.second});
  });
}

Value dict_keys(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters none("keys", arguments, {});
  return view_of(run, SequenceKind::keys, self, [](const Dict::Entry& entry) { return entry.first; });
}

Value dict_values(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters none("values", arguments, {});
  return view_of(run, SequenceKind::values, self, [](const Dict::Entry& entry) { return entry.second; });
}

Value list_count(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("count", arguments, {"value"}, 1);
  int64_t count = 0;
  for (const Value& item : *self.list()) count += is_equal(run.budget, item, given.value(0));
  return count;
}

Value list_index(Run& run, const Value& self, const Arguments& arguments) {
  const Parameters given("index", arguments, {"value"}, 1);
  const Items& items = *self.list();
  for (size_t i = 0; i < items.size(); ++i)
    if (is_equal(run.budget, items[i], given.value(0))) return static_cast<int64_t>(i);
  raise("the value is not in the {}", type_name(self));
}

Value copy_of(Run& /*run*/, const Value& self, const Arguments& arguments) {
  const Parameters none("copy", arguments, {});
  return self;
}

const MethodTable& dict_methods() {
  static const MethodTable table{{"get", dict_get},
                                 {"items", dict_items},
                                 {"keys", dict_keys},
                                 {"values", dict_values},
                                 {"copy", copy_of}};
  return table;
}

const MethodTable& list_methods() {
  static const MethodTable table{{"count", list_count}, {"index", list_index}, {"copy", copy_of}};
  return table;
}

// Returns whether Python's type has a method of this name that changes the object, which the sandbox forbids.
bool is_forbidden(const Value& object, std::string_view name) {
  static const std::set<std::string_view> of_dict{"clear", "pop", "popitem", "setdefault", "update"};
  static const std::set<std::string_view> of_list{"append", "clear",  "extend",  "insert",
                                                  "pop",    "remove", "reverse", "sort"};
  const Sequence* sequence = object.as<Sequence>();
  return object.dict() ? of_dict.contains(name)
                       : sequence && sequence->kind == SequenceKind::list && of_list.contains(name);
}

const MethodTable* methods_of(const Value& object) {
  if (object.text()) return &text_methods();
  if (object.dict()) return &dict_methods();
  return object.list() ? &list_methods() : nullptr;
}

}  // namespace

Value unsafe_attribute(const Value& object, std::string_view name) {
  return make_undefined(
      fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(object)));
}

std::optional<Value> method_of(const Value& object, std::string_view name) {
  if (is_forbidden(object, name)) return unsafe_attribute(object, name);
  const MethodTable* table = methods_of(object);
  if (!table) return std::nullopt;
  const auto found = table->find(name);
  if (found == table->end()) return std::nullopt;
  return make_object<BoundMethod>(found->second, object);
}

}  // namespace galore::jinja
