#include <ctime>

#include "chat/jinja/filters.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

using FunctionBody = Value (*)(Run& run, const Arguments& arguments);

class GlobalFunction : public Object {
 public:
  explicit GlobalFunction(FunctionBody body) : body_(body) {}
  std::string type_name() const override { return "function"; }
  bool is_callable() const override { return true; }
  Value call(Run& run, const Arguments& arguments) const override { return body_(run, arguments); }

 private:
  FunctionBody body_;
};

// The variable `self`, which holds the blocks of a template. Chat templates have none.
class TemplateReference : public Object {
 public:
  std::string type_name() const override { return "TemplateReference"; }
};

// range() of the sandbox has at most 100000 items.
Value range_function(Run& run, const Arguments& arguments) {
  constexpr int64_t kMostItems = 100000;
  const Parameters given("range", arguments, {"start", "stop", "step"}, 1);
  const int64_t start = given.has(1) ? given.integer(0, 0) : 0;
  const int64_t stop = given.has(1) ? given.integer(1, 0) : given.integer(0, 0), step = given.integer(2, 1);
  if (step == 0) raise("range() arg 3 must not be zero");
  Items items;
  const auto is_inside = [&](int64_t i) { return step > 0 ? i < stop : i > stop; };
  for (int64_t i = start; is_inside(i);) {
    if (static_cast<int64_t>(items.size()) == kMostItems)
      raise("Range too big. The sandbox blocks ranges larger than {}.", kMostItems);
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  run.budget.step(static_cast<int64_t>(items.size()));
  return make_list(run.budget, std::move(items));
}

Dict dict_of(Run& run, const Arguments& arguments) {
  Dict dict;
  if (arguments.values.size() > 1) raise("dict() takes at most 1 positional argument");
  if (!arguments.values.empty() && arguments.values[0].dict()) {
    dict = *arguments.values[0].dict();
  } else if (!arguments.values.empty()) {
    for (const Value& pair : items_of(run.budget, arguments.values[0])) {
      const Items parts = items_of(run.budget, pair);
      if (parts.size() != 2) raise("dict(): expected pairs");
      dict.set(parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) dict.set(make_text(run.budget, name), value);
  return dict;
}

Value dict_function(Run& run, const Arguments& arguments) {
  return make_dict(run.budget, dict_of(run, arguments));
}

Value namespace_function(Run& run, const Arguments& arguments) {
  const auto space = run.new_namespace();
  const Dict values = dict_of(run, arguments);
  for (const auto& [key, value] : values.entries())
    if (key.text()) space->set(*key.text(), value);
  return std::shared_ptr<Object>(space);
}

Value raise_exception(Run& run, const Arguments& arguments) {
  const Parameters given("raise_exception", arguments, {"message"}, 1);
  raise("{}", str(run.budget, given.value(0)));
}

Value strftime_now(Run& run, const Arguments& arguments) {
  const std::string format = Parameters("strftime_now", arguments, {"format"}, 1).text(0);
  if (format.size() > 1000) raise("strftime_now: expected a format of at most 1000 bytes");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::string text(64 * 1024, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &local));
  return make_text(run.budget, std::move(text));
}

}  // namespace

FramePtr global_frame() {
  auto frame = std::make_shared<Frame>();
  const auto add = [&](const char* name, FunctionBody body) {
    frame->values[name] = make_object<GlobalFunction>(body);
  };
  add("range", range_function);
  add("dict", dict_function);
  add("namespace", namespace_function);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
  frame->values["self"] = make_object<TemplateReference>();
  return frame;
}

}  // namespace galore::jinja
