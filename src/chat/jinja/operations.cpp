#include "chat/jinja/operations.h"

#include <algorithm>
#include <cmath>

#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

constexpr const char* kOperatorNames[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void refuse(Operator op, const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  raise("unsupported operand type(s) for {}: '{}' and '{}'", kOperatorNames[static_cast<int>(op)],
        type_name(a), type_name(b));
}

[[noreturn]] void refuse_zero() { raise("division by zero"); }
[[noreturn]] void refuse_large() { raise("an integer has more than 64 bits"); }

int64_t floor_quotient(int64_t a, int64_t b) {
  if (b == 0) refuse_zero();
  if (b == -1 && a == INT64_MIN) refuse_large();
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t floor_remainder(int64_t a, int64_t b) {
  if (b == 0) refuse_zero();
  if (b == -1) return 0;
  const int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

int64_t whole_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) refuse_large();
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) refuse_large();
  }
  return result;
}

Value of_integers(Operator op, int64_t a, int64_t b) {
  int64_t out = 0;
  bool too_large = false;
  switch (op) {
    case Operator::add:
      too_large = __builtin_add_overflow(a, b, &out);
      break;
    case Operator::subtract:
      too_large = __builtin_sub_overflow(a, b, &out);
      break;
    case Operator::multiply:
      too_large = __builtin_mul_overflow(a, b, &out);
      break;
    case Operator::divide:
      if (b == 0) refuse_zero();
      return static_cast<double>(a) / static_cast<double>(b);
    case Operator::floor_divide:
      return floor_quotient(a, b);
    case Operator::modulo:
      return floor_remainder(a, b);
    case Operator::power:
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      return whole_power(a, b);
  }
  if (too_large) refuse_large();
  return out;
}

Value of_reals(Operator op, double a, double b) {
  if (b == 0 && (op == Operator::divide || op == Operator::floor_divide || op == Operator::modulo))
    refuse_zero();
  switch (op) {
    case Operator::add:
      return a + b;
    case Operator::subtract:
      return a - b;
    case Operator::multiply:
      return a * b;
    case Operator::divide:
      return a / b;
    case Operator::floor_divide:
      return std::floor(a / b);
    case Operator::modulo: {
      const double remainder = std::fmod(a, b);
      return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
    }
    case Operator::power:
      return std::pow(a, b);
  }
  return None{};
}

Value joined_texts(Run& run, const Value& a, const Value& b) {
  const Text &left = *a.as<Text>(), &right = *b.as<Text>();
  const bool safe = left.safe || right.safe;
  const auto part = [&](const Text& text) {
    return safe && !text.safe ? escape_markup(*text.bytes) : *text.bytes;
  };
  run.budget.take(left.bytes->size() + right.bytes->size());
  return make_text(run.budget, part(left) + part(right), safe);
}

Value joined_lists(Run& run, const Value& a, const Value& b) {
  run.budget.take((a.list()->size() + b.list()->size()) * sizeof(Value));
  Items items = *a.list();
  items.insert(items.end(), b.list()->begin(), b.list()->end());
  return make_sequence(run.budget, a.as<Sequence>()->kind, std::move(items));
}

// Multiplies a string or a list by a count.
std::optional<Value> repeated(Run& run, const Value& what, const Value& times) {
  const auto count = times.integer();
  if (!count || !(what.text() || what.list())) return std::nullopt;
  const int64_t number = std::max<int64_t>(0, *count);
  const int64_t unit = what.text() ? static_cast<int64_t>(what.text()->size())
                                   : static_cast<int64_t>(what.list()->size() * sizeof(Value));
  int64_t bytes = 0;
  if (__builtin_mul_overflow(unit, number, &bytes)) bytes = INT64_MAX / 2;
  run.budget.take(static_cast<size_t>(bytes));
  run.budget.step(unit == 0 ? 0 : number);
  if (const std::string* text = what.text()) {
    std::string out;
    for (int64_t i = 0; i < number && unit > 0; ++i) out += *text;
    return make_text(run.budget, out);
  }
  Items items;
  for (int64_t i = 0; i < number && unit > 0; ++i)
    items.insert(items.end(), what.list()->begin(), what.list()->end());
  return make_sequence(run.budget, what.as<Sequence>()->kind, std::move(items));
}

bool less_or_equal(Run& run, const Value& a, const Value& b) {
  return is_less(run.budget, a, b) || is_equal(run.budget, a, b);
}

// Clamps an end of a slice as Python's slice.indices().
int64_t slice_end(const Value& given, int64_t missing, int64_t length, int64_t lowest, int64_t highest) {
  if (given.is_none()) return missing;
  const auto whole = given.integer();
  if (!whole) {
    require_defined(given);
    raise("slice indices must be integers or None");
  }
  const int64_t place = *whole < 0 ? std::max(*whole, -length - 1) + length : *whole;
  return std::clamp(place, lowest, highest);
}

}  // namespace

Value apply_operator(Run& run, Operator op, const Value& a, const Value& b) {
  const auto whole_a = a.integer(), whole_b = b.integer();
  if (whole_a && whole_b) return of_integers(op, *whole_a, *whole_b);
  const auto number_a = a.number(), number_b = b.number();
  if (number_a && number_b) return of_reals(op, *number_a, *number_b);
  if (op == Operator::add && a.text() && b.text()) return joined_texts(run, a, b);
  if (op == Operator::add && a.list() && b.list() && a.as<Sequence>()->kind == b.as<Sequence>()->kind)
    return joined_lists(run, a, b);
  if (op == Operator::modulo && a.text()) return make_text(run.budget, printf_format(run, *a.text(), b));
  if (op == Operator::multiply) {
    if (const auto out = repeated(run, a, b)) return *out;
    if (const auto out = repeated(run, b, a)) return *out;
  }
  refuse(op, a, b);
}

Value negated(Run& run, const Value& value) {
  require_defined(value);
  if (const auto whole = value.integer()) return apply_operator(run, Operator::subtract, int64_t{0}, *whole);
  if (const double* real = value.as<double>()) return -*real;
  raise("bad operand type for unary -: '{}'", type_name(value));
}

bool contains(Run& run, const Value& container, const Value& item) {
  if (const std::string* text = container.text()) {
    require_defined(item);
    if (!item.text()) raise("'in <string>' requires string as left operand, not {}", type_name(item));
    run.budget.step(static_cast<int64_t>(text->size() / 256));
    return find_text(*text, *item.text()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) return dict->find(item) != nullptr;
  if (const Object* object = container.object())
    raise("argument of type '{}' is not iterable", object->type_name());
  for (const Value& own : items_of(run.budget, container))
    if (is_equal(run.budget, own, item)) return true;
  return false;
}

bool compare(Run& run, Comparison op, const Value& a, const Value& b) {
  switch (op) {
    case Comparison::eq:
      return is_equal(run.budget, a, b);
    case Comparison::ne:
      return !is_equal(run.budget, a, b);
    case Comparison::lt:
      return is_less(run.budget, a, b);
    case Comparison::le:
      return less_or_equal(run, a, b);
    case Comparison::gt:
      return is_less(run.budget, b, a);
    case Comparison::ge:
      return less_or_equal(run, b, a);
    case Comparison::in:
      return contains(run, b, a);
    case Comparison::not_in:
      return !contains(run, b, a);
  }
  return false;
}

Value path_key(Run& run, const std::string& part) {
  const bool is_place =
      !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
  return is_place ? Value(int64_t{std::stoi(part)}) : make_text(run.budget, part);
}

namespace {

std::string owner_name(const Value& object) {
  return object.is_none() ? "None" : type_name(object) + " object";
}

std::optional<Value> own_attribute(const Value& object, std::string_view name) {
  if (name.starts_with("__")) return unsafe_attribute(object, name);
  if (const Object* own = object.object()) return own->attribute(name);
  return method_of(object, name);
}

// Returns the character or the item at a place; negative places count from the end.
std::optional<Value> item_at(Run& run, const Value& object, int64_t place) {
  const int64_t length = length_of(object);
  if (place < 0) place += length;
  if (place < 0 || place >= length) return std::nullopt;
  if (const Items* items = object.list()) return (*items)[static_cast<size_t>(place)];
  const std::string_view text = *object.text();
  run.budget.step(static_cast<int64_t>(text.size() / 64));
  const size_t begin = offset_of_character(text, place);
  return make_text(run.budget, std::string(text.substr(begin, offset_of_character(text.substr(begin), 1))));
}

}  // namespace

Value attribute_of(const Value& object, std::string_view name) {
  require_defined(object);
  if (const auto own = own_attribute(object, name)) return *own;
  if (const Dict* dict = object.dict())
    if (const Value* found = dict->find(name)) return *found;
  return make_undefined(fmt::format("'{}' has no attribute '{}'", owner_name(object), name));
}

Value item_of(Run& run, const Value& object, const Value& key) {
  require_defined(object);
  const auto place = key.integer();
  if (const Dict* dict = object.dict()) {
    if (const Value* found = dict->find(key)) return *found;
  } else if (place && (object.list() || object.text())) {
    if (const auto found = item_at(run, object, *place)) return *found;
  }
  if (const std::string* name = key.text()) {
    if (const auto own = own_attribute(object, *name)) return *own;
    return make_undefined(fmt::format("'{}' has no attribute '{}'", owner_name(object), *name));
  }
  return make_undefined(fmt::format("{} has no element {}", owner_name(object), repr(run.budget, key)));
}

Value slice_of(Run& run, const Value& object, const Value& start, const Value& stop, const Value& step) {
  require_defined(object);
  if (!object.list() && !object.text())
    return make_undefined(fmt::format("{} has no slices", owner_name(object)));
  const int64_t length = length_of(object), by = step.is_none() ? 1 : step.integer().value_or(0);
  if (by == 0) raise("slice step cannot be zero");
  const int64_t lowest = by > 0 ? 0 : -1, highest = by > 0 ? length : length - 1;
  const int64_t first = slice_end(start, by > 0 ? 0 : length - 1, length, lowest, highest);
  const int64_t last = slice_end(stop, by > 0 ? length : -1, length, lowest, highest);
  run.budget.step(length / 16);
  if (const std::string* text = object.text(); text && by == 1) {
    const size_t begin = offset_of_character(*text, first);
    const std::string_view rest = std::string_view(*text).substr(begin);
    return make_text(run.budget, std::string(rest.substr(0, offset_of_character(rest, last - first))));
  }
  const Items all = items_of(run.budget, object);
  Items chosen;
  for (int64_t i = first; by > 0 ? i < last : i > last; i += by) {
    chosen.push_back(all[static_cast<size_t>(i)]);
    if (by > 0 ? by > last - i : by < last - i) break;  // i + by could overflow
  }
  if (object.list()) return make_sequence(run.budget, object.as<Sequence>()->kind, std::move(chosen));
  std::string text;
  for (const Value& character : chosen) text += *character.text();
  return make_text(run.budget, std::move(text));
}

Value call(Run& run, const Value& callee, const Arguments& arguments) {
  require_defined(callee);
  const Object* object = callee.object();
  if (!object) raise("'{}' object is not callable", type_name(callee));
  return object->call(run, arguments);
}

}  // namespace galore::jinja
