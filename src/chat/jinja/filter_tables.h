// The filters by subject; filters.cpp puts them together.
#pragma once

#include <map>
#include <string_view>

#include "chat/jinja/run.h"

namespace galore::jinja {

using Filter = Value (*)(Run& run, const Value& subject, const Arguments& arguments);
using FilterTable = std::map<std::string_view, Filter>;

const FilterTable& text_filters();      // change texts and numbers
const FilterTable& sequence_filters();  // read lists
const FilterTable& choice_filters();    // choose, order or group items

// Calls action(part) for the parts between separators, empty ones included.
template <typename Action>
void for_each_part(std::string_view text, char separator, const Action& action) {
  for (;;) {
    const size_t end = text.find(separator);
    action(std::string(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

// Returns item.a.b for a path "a.b"; parts that are digits are places.
Value at_path(Run& run, const Value& item, const Value& path);

}  // namespace galore::jinja
