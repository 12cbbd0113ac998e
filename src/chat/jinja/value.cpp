#include "chat/jinja/value.h"

#include <algorithm>

#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

// Returns a text that is equal for keys that Python takes for equal, such as 1, 1.0 and True.
void append_key(std::string& out, const Value& key) {
  if (const std::string* text = key.text()) {
    out += 's';
    out += *text;
  } else if (const auto whole = key.integer()) {
    out += 'n' + std::to_string(*whole);
  } else if (const double* real = key.as<double>()) {
    const auto rounded = static_cast<int64_t>(*real);
    const bool is_whole = *real >= -9e18 && *real <= 9e18 && static_cast<double>(rounded) == *real;
    out += 'n' + (is_whole ? std::to_string(rounded) : repr_of_real(*real));
  } else if (key.is_none()) {
    out += '0';
  } else if (const Sequence* tuple = key.as<Sequence>(); tuple && tuple->kind == SequenceKind::tuple) {
    for (const Value& item : tuple->data->items) {
      std::string part;
      append_key(part, item);
      out += 't' + std::to_string(part.size()) + ':' + part;
    }
  } else {
    raise("unhashable type: '{}'", type_name(key));
  }
}

std::string key_of(const Value& key) {
  std::string out;
  append_key(out, key);
  return out;
}

bool equal_items(Budget& budget, const Items& a, const Items& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!is_equal(budget, a[i], b[i])) return false;
  return true;
}

bool equal_dicts(Budget& budget, const Dict& a, const Dict& b) {
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (!other || !is_equal(budget, value, *other)) return false;
  }
  return true;
}

}  // namespace

std::optional<Value> Object::attribute(std::string_view /*name*/) const { return std::nullopt; }

Value Object::call(Run& /*run*/, const Arguments& /*arguments*/) const {
  raise("'{}' object is not callable", type_name());
}

const Items* Value::list() const {
  const Sequence* sequence = as<Sequence>();
  const bool is_list =
      sequence && (sequence->kind == SequenceKind::list || sequence->kind == SequenceKind::tuple);
  return is_list ? &sequence->data->items : nullptr;
}

const Dict* Value::dict() const {
  const auto* dict = as<std::shared_ptr<const Dict>>();
  return dict ? dict->get() : nullptr;
}

const Object* Value::object() const {
  const auto* object = as<std::shared_ptr<Object>>();
  return object ? object->get() : nullptr;
}

std::optional<int64_t> Value::integer() const {
  if (const int64_t* whole = as<int64_t>()) return *whole;
  if (const bool* truth = as<bool>()) return *truth ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const double* real = as<double>()) return *real;
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

int Value::depth() const {
  if (const Sequence* sequence = as<Sequence>()) return sequence->data->depth;
  return dict() ? dict()->depth() : 0;
}

void Dict::set(const Value& key, Value value) {
  depth_ = std::max({depth_, 1 + value.depth(), 1 + key.depth()});
  const auto [place, is_new] = index_.try_emplace(key_of(key), entries_.size());
  if (is_new)
    entries_.emplace_back(key, std::move(value));
  else
    entries_[place->second].second = std::move(value);
}

const Value* Dict::find(const Value& key) const {
  const auto found = index_.find(key_of(key));
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = index_.find('s' + std::string(key));
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

Value make_text(Budget& budget, std::string text, bool safe) {
  budget.take(text.size() + sizeof(Value));
  return Text{std::make_shared<const std::string>(std::move(text)), safe};
}

Value make_sequence(Budget& budget, SequenceKind kind, Items items) {
  budget.take((items.size() + 2) * sizeof(Value));
  auto data = std::make_shared<SequenceData>();
  for (const Value& item : items) data->depth = std::max(data->depth, 1 + item.depth());
  budget.check_depth(data->depth);
  data->items = std::move(items);
  return Sequence{kind, std::move(data)};
}

Value make_dict(Budget& budget, Dict dict) {
  budget.take((dict.entries().size() + 1) * 4 * sizeof(Value));
  budget.check_depth(dict.depth());
  return std::make_shared<const Dict>(std::move(dict));
}

Value make_undefined(std::string why) {
  return Undefined{std::make_shared<const std::string>(std::move(why))};
}

std::string type_name(const Value& value) {
  if (value.is_none()) return "NoneType";
  if (value.is_undefined()) return "Undefined";
  if (value.as<bool>()) return "bool";
  if (value.as<int64_t>()) return "int";
  if (value.as<double>()) return "float";
  if (value.text()) return "str";
  if (value.dict()) return "dict";
  if (const Object* object = value.object()) return object->type_name();
  switch (value.as<Sequence>()->kind) {
    case SequenceKind::list:
      return "list";
    case SequenceKind::tuple:
      return "tuple";
    case SequenceKind::items:
      return "dict_items";
    case SequenceKind::keys:
      return "dict_keys";
    case SequenceKind::values:
      return "dict_values";
    case SequenceKind::generator:
      return "generator";
  }
  return "object";
}

bool is_true(const Value& value) {
  if (value.is_none() || value.is_undefined()) return false;
  if (const auto number = value.number()) return *number != 0;
  if (const std::string* text = value.text()) return !text->empty();
  if (const Dict* dict = value.dict()) return !dict->entries().empty();
  const Sequence* sequence = value.as<Sequence>();
  return !sequence || sequence->kind == SequenceKind::generator || !sequence->data->items.empty();
}

bool is_equal(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  const auto whole_a = a.integer(), whole_b = b.integer();
  if (whole_a && whole_b) return *whole_a == *whole_b;
  const auto number_a = a.number(), number_b = b.number();
  if (number_a && number_b) return *number_a == *number_b;
  if (a.text() && b.text()) {
    budget.step(static_cast<int64_t>(a.text()->size() / 256));
    return *a.text() == *b.text();
  }
  if (a.dict() && b.dict()) return equal_dicts(budget, *a.dict(), *b.dict());
  const Sequence *left = a.as<Sequence>(), *right = b.as<Sequence>();
  if (left && right) {
    if (left->data == right->data) return true;
    return left->kind == right->kind && a.list() &&
           equal_items(budget, left->data->items, right->data->items);
  }
  if (a.object() && b.object()) return a.object() == b.object();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool is_less(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  require_defined(a);
  require_defined(b);
  const auto whole_a = a.integer(), whole_b = b.integer();
  if (whole_a && whole_b) return *whole_a < *whole_b;
  const auto number_a = a.number(), number_b = b.number();
  if (number_a && number_b) return *number_a < *number_b;
  if (a.text() && b.text()) return *a.text() < *b.text();  // the order of UTF-8 is that of code points
  if (a.list() && b.list() && type_name(a) == type_name(b)) {
    const Items &x = *a.list(), &y = *b.list();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!is_equal(budget, x[i], y[i])) return is_less(budget, x[i], y[i]);
    return x.size() < y.size();
  }
  raise("'<' not supported between instances of '{}' and '{}'", type_name(a), type_name(b));
}

Items items_of(Budget& budget, const Value& value) {
  Items items;
  if (value.is_undefined()) return items;
  if (const std::string* text = value.text()) {
    for (const std::string_view character : characters_of(*text)) {
      budget.step();
      items.push_back(make_text(budget, std::string(character)));
    }
    return items;
  }
  if (const Dict* dict = value.dict()) {
    for (const auto& entry : dict->entries()) items.push_back(entry.first);
  } else if (const Sequence* sequence = value.as<Sequence>()) {
    if (sequence->data->consumed) return items;
    sequence->data->consumed = sequence->kind == SequenceKind::generator;
    items = sequence->data->items;
  } else {
    raise("'{}' object is not iterable", type_name(value));
  }
  budget.step(static_cast<int64_t>(items.size()));
  budget.take(items.size() * sizeof(Value));
  return items;
}

int64_t length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const std::string* text = value.text()) return count_characters(*text);
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->entries().size());
  const Sequence* sequence = value.as<Sequence>();
  if (!sequence || sequence->kind == SequenceKind::generator)
    raise("object of type '{}' has no len()", type_name(value));
  return static_cast<int64_t>(sequence->data->items.size());
}

void require_defined(const Value& value) {
  if (const Undefined* undefined = value.as<Undefined>()) throw Fault(*undefined->why);
}

}  // namespace galore::jinja
