#include <map>

#include "chat/jinja/filters.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

using Test = bool (*)(Run& run, const Value& subject, const Arguments& arguments);

bool is_sequence_type(const Value& value) {
  return value.text() || value.list() || value.dict() || value.is_undefined();
}

bool is_iterable_type(const Value& value) { return is_sequence_type(value) || value.as<Sequence>(); }

bool is_same(Run& run, const Value& subject, const Arguments& arguments) {
  const Value other = Parameters("sameas", arguments, {"other"}, 1).value(0);
  if (type_name(subject) != type_name(other)) return false;
  if (subject.as<Sequence>()) return subject.as<Sequence>()->data == other.as<Sequence>()->data;
  if (subject.dict()) return subject.dict() == other.dict();
  return is_equal(run.budget, subject, other);
}

template <Comparison op>
bool comparison_test(Run& run, const Value& subject, const Arguments& arguments) {
  return compare(run, op, subject, Parameters("the test", arguments, {"other"}, 1).value(0));
}

template <int remainder>
bool parity_test(Run& run, const Value& subject, const Arguments& /*arguments*/) {
  return is_equal(run.budget, apply_operator(run, Operator::modulo, subject, int64_t{2}), int64_t{remainder});
}

bool divisible_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Value by = Parameters("divisibleby", arguments, {"num"}, 1).value(0);
  return is_equal(run.budget, apply_operator(run, Operator::modulo, subject, by), int64_t{0});
}

template <bool upper>
bool letter_case_test(Run& run, const Value& subject, const Arguments& /*arguments*/) {
  const Value text = make_text(run.budget, str(run.budget, subject));
  return is_true(call(run, *method_of(text, upper ? "isupper" : "islower"), {}));
}

using TestTable = std::map<std::string_view, Test>;

const TestTable& kind_tests() {
  static const TestTable table{
      {"defined", [](Run&, const Value& v, const Arguments&) { return !v.is_undefined(); }},
      {"undefined", [](Run&, const Value& v, const Arguments&) { return v.is_undefined(); }},
      {"none", [](Run&, const Value& v, const Arguments&) { return v.is_none(); }},
      {"boolean", [](Run&, const Value& v, const Arguments&) { return v.as<bool>() != nullptr; }},
      {"true", [](Run&, const Value& v, const Arguments&) { return v.as<bool>() && *v.as<bool>(); }},
      {"false", [](Run&, const Value& v, const Arguments&) { return v.as<bool>() && !*v.as<bool>(); }},
      {"integer", [](Run&, const Value& v, const Arguments&) { return v.as<int64_t>() != nullptr; }},
      {"float", [](Run&, const Value& v, const Arguments&) { return v.as<double>() != nullptr; }},
      {"number", [](Run&, const Value& v, const Arguments&) { return v.number().has_value(); }},
      {"string", [](Run&, const Value& v, const Arguments&) { return v.text() != nullptr; }},
      {"mapping", [](Run&, const Value& v, const Arguments&) { return v.dict() != nullptr; }},
      {"sequence", [](Run&, const Value& v, const Arguments&) { return is_sequence_type(v); }},
      {"iterable", [](Run&, const Value& v, const Arguments&) { return is_iterable_type(v); }},
      {"callable",
       [](Run&, const Value& v, const Arguments&) {
         return v.is_undefined() || (v.object() && v.object()->is_callable());
       }},
      {"escaped", [](Run&, const Value& v, const Arguments&) { return v.as<Text>() && v.as<Text>()->safe; }},
      {"filter",
       [](Run&, const Value& v, const Arguments&) { return v.text() && is_filter_name(*v.text()); }}};
  return table;
}

const TestTable& relation_tests() {
  static const TestTable table{{"sameas", is_same},
                               {"divisibleby", divisible_test},
                               {"even", parity_test<0>},
                               {"odd", parity_test<1>},
                               {"upper", letter_case_test<true>},
                               {"lower", letter_case_test<false>},
                               {"in", comparison_test<Comparison::in>},
                               {"eq", comparison_test<Comparison::eq>},
                               {"equalto", comparison_test<Comparison::eq>},
                               {"==", comparison_test<Comparison::eq>},
                               {"ne", comparison_test<Comparison::ne>},
                               {"!=", comparison_test<Comparison::ne>},
                               {"lt", comparison_test<Comparison::lt>},
                               {"lessthan", comparison_test<Comparison::lt>},
                               {"<", comparison_test<Comparison::lt>},
                               {"le", comparison_test<Comparison::le>},
                               {"<=", comparison_test<Comparison::le>},
                               {"gt", comparison_test<Comparison::gt>},
                               {"greaterthan", comparison_test<Comparison::gt>},
                               {">", comparison_test<Comparison::gt>},
                               {"ge", comparison_test<Comparison::ge>},
                               {">=", comparison_test<Comparison::ge>}};
  return table;
}

}  // namespace

bool apply_test(Run& run, const std::string& name, const Value& subject, const Arguments& arguments) {
  run.budget.step();
  for (const TestTable* table : {&kind_tests(), &relation_tests()}) {
    const auto found = table->find(name);
    if (found != table->end()) return found->second(run, subject, arguments);
  }
  raise("no test named '{}'", name);
}

}  // namespace galore::jinja
