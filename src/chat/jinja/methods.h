// The tables of methods.
#pragma once

#include <map>
#include <set>
#include <string_view>

#include "chat/jinja/value.h"

namespace galore::jinja {

using Method = Value (*)(Run& run, const Value& self, const Arguments& arguments);
using MethodTable = std::map<std::string_view, Method>;
const MethodTable& text_methods();

}  // namespace galore::jinja
