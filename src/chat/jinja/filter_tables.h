// The filters by subject; filters.cpp puts them together.
#pragma once

#include <map>
#include <string_view>

#include "chat/jinja/run.h"

namespace galore::jinja {

using Filter = Value (*)(Run& run, const Value& subject, const Arguments& arguments);
using FilterTable = std::map<std::string_view, Filter>;

const FilterTable& text_filters();      // of texts and numbers
const FilterTable& sequence_filters();  // of lists
const FilterTable& choice_filters();    // that choose, order or group items

// Returns item.a.b for a path "a.b"; parts that are digits are places.
Value at_path(Run& run, const Value& item, const Value& path);

}  // namespace galore::jinja
