#include "chat/jinja/filters.h"

#include "chat/jinja/filter_tables.h"

namespace galore::jinja {
namespace {

Filter find_filter(const std::string& name) {
  for (const FilterTable* table : {&text_filters(), &sequence_filters(), &choice_filters()}) {
    const auto found = table->find(name);
    if (found != table->end()) return found->second;
  }
  return nullptr;
}

}  // namespace

bool is_filter_name(const std::string& name) { return find_filter(name) != nullptr; }

Value apply_filter(Run& run, const std::string& name, const Value& subject, const Arguments& arguments) {
  run.budget.step();
  if (const Filter filter = find_filter(name)) return filter(run, subject, arguments);
  raise("no filter named '{}'", name);
}

}  // namespace galore::jinja
