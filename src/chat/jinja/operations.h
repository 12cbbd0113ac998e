// Python's operators, attributes and subscripts.
#pragma once

#include <string_view>

#include "chat/jinja/run.h"

namespace galore::jinja {

enum class Operator { add, subtract, multiply, divide, floor_divide, modulo, power };
Value apply_operator(Run& run, Operator op, const Value& a, const Value& b);
Value negated(Run& run, const Value& value);

enum class Comparison { eq, ne, lt, le, gt, ge, in, not_in };
bool compare(Run& run, Comparison op, const Value& a, const Value& b);
bool contains(Run& run, const Value& container, const Value& item);

// Returns object.name: a method or attribute first, then the item of this name. What is not there is
// undefined.
Value attribute_of(const Value& object, std::string_view name);
// Returns object[key]: the item first, then the method or attribute.
Value item_of(Run& run, const Value& object, const Value& key);
// Returns object[start:stop:step]; none stands for a missing end.
Value slice_of(Run& run, const Value& object, const Value& start, const Value& stop, const Value& step);
Value call(Run& run, const Value& callee, const Arguments& arguments);

// Returns the key of a part of a path: a number if it has only digits, otherwise the text.
Value path_key(Run& run, const std::string& part);

// Returns the undefined value of an attribute that templates may not read.
Value unsafe_attribute(const Value& object, std::string_view name);
// Returns the method of a str, dict or list, bound to it, or nothing.
std::optional<Value> method_of(const Value& object, std::string_view name);

// Python's printf-style formatting: text % value.
std::string printf_format(Run& run, const std::string& format, const Value& value);
// Python's text.format(...).
std::string brace_format(Run& run, const std::string& format, const Arguments& arguments);

}  // namespace galore::jinja
