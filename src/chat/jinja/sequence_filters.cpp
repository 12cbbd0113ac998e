#include <algorithm>

#include "chat/jinja/filter_tables.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

Value default_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("default", arguments, {"default_value", "boolean"});
  const bool replaces = subject.is_undefined() || (given.truth(1, false) && !is_true(subject));
  if (!replaces) return subject;
  return given.has(0) ? given.value(0) : make_text(run.budget, "");
}

Value length_filter(Run& /*run*/, const Value& subject, const Arguments& arguments) {
  const Parameters none("length", arguments, {});
  return length_of(subject);
}

Value list_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("list", arguments, {});
  return make_list(run.budget, items_of(run.budget, subject));
}

Value first_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("first", arguments, {});
  if (subject.text()) return item_of(run, subject, int64_t{0});
  const Items items = items_of(run.budget, subject);
  return items.empty() ? make_undefined("No first item, sequence was empty.") : items.front();
}

void require_reversible(const Value& subject) {
  const Sequence* sequence = subject.as<Sequence>();
  const bool fits = subject.text() || subject.dict() || subject.is_undefined() ||
                    (sequence && sequence->kind != SequenceKind::generator);
  if (!fits) raise("'{}' object is not reversible", type_name(subject));
}

Value last_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("last", arguments, {});
  require_reversible(subject);
  require_defined(subject);
  if (subject.text()) return item_of(run, subject, int64_t{-1});
  const Items items = items_of(run.budget, subject);
  return items.empty() ? make_undefined("No last item, sequence was empty.") : items.back();
}

Value reverse_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("reverse", arguments, {});
  if (subject.text()) return slice_of(run, subject, None{}, None{}, int64_t{-1});
  Items items = items_of(run.budget, subject);
  std::reverse(items.begin(), items.end());
  return make_sequence(run.budget, SequenceKind::generator, std::move(items));
}

Value join_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("join", arguments, {"d", "attribute"});
  const std::string between = given.has(0) ? str(run.budget, given.value(0)) : "";
  std::string out;
  bool is_first = true;
  for (const Value& item : items_of(run.budget, subject)) {
    if (!is_first) out += between;
    is_first = false;
    out += str(run.budget, given.value(1).is_none() ? item : at_path(run, item, given.value(1)));
    run.budget.take(between.size());
  }
  return make_text(run.budget, std::move(out));
}

Value items_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none("items", arguments, {});
  Items items;
  if (!subject.is_undefined()) {
    if (!subject.dict()) raise("Can only get item pairs from a mapping.");
    for (const auto& [key, value] : subject.dict()->entries())
      items.push_back(make_sequence(run.budget, SequenceKind::tuple, {key, value}));
  }
  return make_sequence(run.budget, SequenceKind::generator, std::move(items));
}

Value sum_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("sum", arguments, {"attribute", "start"});
  Value sum = given.has(1) ? given.value(1) : Value(int64_t{0});
  for (const Value& item : items_of(run.budget, subject))
    sum = apply_operator(run, Operator::add, sum,
                         given.value(0).is_none() ? item : at_path(run, item, given.value(0)));
  return sum;
}

Value attr_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("attr", arguments, {"name"}, 1);
  const std::string name = str(run.budget, given.value(0));
  if (subject.dict() && !method_of(subject, name))
    return make_undefined(fmt::format("'dict object' has no attribute '{}'", name));
  return attribute_of(subject, name);
}

Value batch_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("batch", arguments, {"linecount", "fill_with"}, 1);
  const int64_t size = given.integer(0, 1);
  if (size < 1) raise("batch: expected a size above 0, given {}", size);
  Items rows, row;
  for (const Value& item : items_of(run.budget, subject)) {
    row.push_back(item);
    if (static_cast<int64_t>(row.size()) < size) continue;
    rows.push_back(make_list(run.budget, std::move(row)));
    row.clear();
  }
  if (!row.empty()) {
    if (given.has(1)) {
      run.budget.take(static_cast<size_t>(size) * sizeof(Value));
      row.resize(static_cast<size_t>(size), given.value(1));
    }
    rows.push_back(make_list(run.budget, std::move(row)));
  }
  return make_sequence(run.budget, SequenceKind::generator, std::move(rows));
}

Value slice_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given("slice", arguments, {"slices", "fill_with"}, 1);
  const Items items = items_of(run.budget, subject);
  const int64_t slices = given.integer(0, 1), length = static_cast<int64_t>(items.size());
  if (slices < 1 || slices > 100000) raise("slice: expected 1 to 100000 slices, given {}", slices);
  const int64_t size = length / slices, longer = length % slices;
  Items rows;
  auto next = items.begin();
  for (int64_t i = 0; i < slices; ++i) {
    const auto end = next + size + (i < longer ? 1 : 0);
    Items row(next, end);
    next = end;
    if (given.has(1) && i >= longer) row.push_back(given.value(1));
    rows.push_back(make_list(run.budget, std::move(row)));
  }
  return make_sequence(run.budget, SequenceKind::generator, std::move(rows));
}

}  // namespace

Value at_path(Run& run, const Value& item, const Value& path) {
  if (!path.text()) return item_of(run, item, path);
  Value value = item;
  for_each_part(*path.text(), '.',
                [&](const std::string& part) { value = item_of(run, value, path_key(run, part)); });
  return value;
}

const FilterTable& sequence_filters() {
  static const FilterTable table{
      {"default", default_filter}, {"d", default_filter},  {"length", length_filter},
      {"count", length_filter},    {"list", list_filter},  {"first", first_filter},
      {"last", last_filter},       {"join", join_filter},  {"reverse", reverse_filter},
      {"items", items_filter},     {"sum", sum_filter},    {"attr", attr_filter},
      {"batch", batch_filter},     {"slice", slice_filter}};
  return table;
}

}  // namespace galore::jinja
