#include <algorithm>

#include "chat/jinja/filter_tables.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

// Returns the arguments from number `from` on.
Arguments arguments_from(const Arguments& arguments, size_t from) {
  Arguments rest = arguments;
  rest.values.erase(rest.values.begin(),
                    rest.values.begin() + static_cast<std::ptrdiff_t>(std::min(from, rest.values.size())));
  return rest;
}

std::string name_argument(const Arguments& arguments, size_t place, const char* filter) {
  if (place >= arguments.values.size() || !arguments.values[place].text())
    raise("{}: expected a name as argument", filter);
  return *arguments.values[place].text();
}

// Keeps the items for which a test gives `wanted`; without the name of a test, those that are true.
template <bool by_attribute, bool wanted>
Value choose_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const size_t test_at = by_attribute ? 1 : 0;
  if (by_attribute && arguments.values.empty()) raise("Missing parameter for attribute name");
  Items kept;
  if (!is_true(subject)) return make_sequence(run.budget, SequenceKind::generator, {});  // none is allowed
  for (const Value& item : items_of(run.budget, subject)) {
    const Value seen = by_attribute ? at_path(run, item, arguments.values[0]) : item;
    const bool holds = arguments.values.size() > test_at
                           ? apply_test(run, name_argument(arguments, test_at, "select"), seen,
                                        arguments_from(arguments, test_at + 1))
                           : is_true(seen);
    if (holds == wanted) kept.push_back(item);
  }
  return make_sequence(run.budget, SequenceKind::generator, std::move(kept));
}

Value map_filter(Run& run, const Value& subject, const Arguments& arguments) {
  Items out;
  if (!is_true(subject)) return make_sequence(run.budget, SequenceKind::generator, {});
  if (arguments.values.empty()) {
    const Parameters given("map", arguments, {"attribute", "default"}, 1);
    for (const Value& item : items_of(run.budget, subject)) {
      const Value found = at_path(run, item, given.value(0));
      out.push_back(found.is_undefined() && given.has(1) ? given.value(1) : found);
    }
  } else {
    const std::string name = name_argument(arguments, 0, "map");
    const Arguments rest = arguments_from(arguments, 1);
    for (const Value& item : items_of(run.budget, subject))
      out.push_back(apply_filter(run, name, item, rest));
  }
  return make_sequence(run.budget, SequenceKind::generator, std::move(out));
}

Value folded(Run& run, const Value& value, bool case_sensitive) {
  return case_sensitive || !value.text() ? value : make_text(run.budget, to_lower(*value.text()));
}

// Returns the keys by which an item is compared: attributes divided by commas, or the item.
Items sort_keys(Run& run, const Value& item, const Value& attributes, bool case_sensitive) {
  if (attributes.is_none()) return {folded(run, item, case_sensitive)};
  if (!attributes.text()) return {folded(run, at_path(run, item, attributes), case_sensitive)};
  Items keys;
  for_each_part(*attributes.text(), ',', [&](const std::string& path) {
    keys.push_back(folded(run, at_path(run, item, make_text(run.budget, path)), case_sensitive));
  });
  return keys;
}

struct Keyed {
  Items keys;
  Value item;
};

std::vector<Keyed> sorted(Run& run, const Value& subject, const Value& attributes, bool case_sensitive,
                          bool reverse) {
  std::vector<Keyed> all;
  for (const Value& item : items_of(run.budget, subject))
    all.push_back({sort_keys(run, item, attributes, case_sensitive), item});
  std::stable_sort(all.begin(), all.end(), [&](const Keyed& a, const Keyed& b) {
    const Items &x = reverse ? b.keys : a.keys, &y = reverse ? a.keys : b.keys;
    for (size_t i = 0; i < x.size(); ++i)
      if (!is_equal(run.budget, x[i], y[i])) return is_less(run.budget, x[i], y[i]);
    return false;
  });
  return all;
}

Value sort_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  Items items;
  for (Keyed& keyed : sorted(run, subject, given.value(2), given.truth(1, false), given.truth(0, false)))
    items.push_back(std::move(keyed.item));
  return make_list(run.budget, std::move(items));
}

Value dictsort_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = given.text(1, "key");
  if (by != "key" && by != "value") raise("You can only sort by either \"key\" or \"value\"");
  require_defined(subject);
  if (!subject.dict()) raise("dictsort: expected a dict, given '{}'", type_name(subject));
  const Value pairs = apply_filter(run, "items", subject, {});
  Items items;
  for (Keyed& keyed :
       sorted(run, pairs, Value(int64_t{by == "key" ? 0 : 1}), given.truth(0, false), given.truth(2, false)))
    items.push_back(std::move(keyed.item));
  return make_list(run.budget, std::move(items));
}

Value groupby_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  Items groups, group;
  Items keys;
  Value key;
  const auto finish = [&] {
    if (group.empty()) return;
    groups.push_back(
        make_sequence(run.budget, SequenceKind::tuple, {key, make_list(run.budget, std::move(group))}));
    group.clear();
  };
  for (const Keyed& keyed : sorted(run, subject, given.value(0), given.truth(2, false), false)) {
    if (group.empty() || !is_equal(run.budget, keys[0], keyed.keys[0])) {
      finish();
      keys = keyed.keys;
      key = at_path(run, keyed.item, given.value(0));
      if (key.is_undefined() && given.has(1)) key = given.value(1);
    }
    group.push_back(keyed.item);
  }
  finish();
  return make_list(run.budget, std::move(groups));
}

Value unique_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("unique", arguments, {"case_sensitive", "attribute"});
  Items kept;
  Dict seen;
  for (const Value& item : items_of(run.budget, subject)) {
    const Value key = sort_keys(run, item, given.value(1), given.truth(0, false))[0];
    if (seen.find(key)) continue;
    seen.set(key, Value());
    kept.push_back(item);
  }
  return make_sequence(run.budget, SequenceKind::generator, std::move(kept));
}

template <bool largest>
Value extreme_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("the filter", arguments, {"case_sensitive", "attribute"});
  Value best = make_undefined("No aggregated item, sequence was empty.");
  Items best_keys;
  for (const Value& item : items_of(run.budget, subject)) {
    const Items keys = sort_keys(run, item, given.value(1), given.truth(0, false));
    const bool is_better = best_keys.empty() || (largest ? is_less(run.budget, best_keys[0], keys[0])
                                                         : is_less(run.budget, keys[0], best_keys[0]));
    if (is_better) best = item, best_keys = keys;
  }
  return best;
}

}  // namespace

const FilterTable& choice_filters() {
  static const FilterTable table{{"select", choose_filter<false, true>},
                                 {"reject", choose_filter<false, false>},
                                 {"selectattr", choose_filter<true, true>},
                                 {"rejectattr", choose_filter<true, false>},
                                 {"map", map_filter},
                                 {"sort", sort_filter},
                                 {"dictsort", dictsort_filter},
                                 {"groupby", groupby_filter},
                                 {"unique", unique_filter},
                                 {"min", extreme_filter<false>},
                                 {"max", extreme_filter<true>}};
  return table;
}

}  // namespace galore::jinja
