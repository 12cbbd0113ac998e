#include "chat/jinja/statements.h"

#include <algorithm>

#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

class Macro : public Object {
 public:
  // The definition must outlive the macro; `frame` holds the variables around it.
  Macro(const MacroDefinition& definition, FramePtr frame)
      : definition_(definition), frame_(std::move(frame)) {}
  std::string type_name() const override { return "Macro"; }
  bool is_callable() const override { return true; }
  std::optional<Value> attribute(std::string_view name) const override {
    if (name != "name") return std::nullopt;
    return Value(Text{std::make_shared<const std::string>(definition_.name)});
  }

  Value call(Run& run, const Arguments& arguments) const override {
    const Budget::Level level(run.budget);
    const FramePtr frame = run.new_frame(frame_);
    bind(run, arguments, frame);
    return make_text(run.budget, run.captured(definition_.body, frame));
  }

 private:
  void bind(Run& run, const Arguments& arguments, const FramePtr& frame) const {
    auto named = arguments.named;
    for (size_t i = 0; i < definition_.parameters.size(); ++i) {
      const MacroDefinition::Parameter& parameter = definition_.parameters[i];
      const auto given = std::find_if(named.begin(), named.end(),
                                      [&](const auto& argument) { return argument.first == parameter.name; });
      const bool by_place = i < arguments.values.size();
      if (by_place && given != named.end())
        raise("macro '{}' got multiple values for argument '{}'", definition_.name, parameter.name);
      Value value = by_place               ? arguments.values[i]
                    : given != named.end() ? given->second
                    : parameter.standard
                        ? evaluate(*parameter.standard, run, frame)
                        : make_undefined("parameter '" + parameter.name + "' was not provided");
      if (given != named.end()) named.erase(given);
      frame->values[parameter.name] = std::move(value);
    }
    bind_rest(run, arguments.values, std::move(named), frame);
  }

  void bind_rest(Run& run, const std::vector<Value>& values, std::vector<std::pair<std::string, Value>> named,
                 const FramePtr& frame) const {
    const auto caller = std::find_if(named.begin(), named.end(),
                                     [](const auto& argument) { return argument.first == "caller"; });
    if (definition_.uses_caller) {
      frame->values["caller"] = caller == named.end() ? make_undefined("No caller defined") : caller->second;
      if (caller != named.end()) named.erase(caller);
    }
    const size_t known = definition_.parameters.size();
    if (values.size() > known && !definition_.uses_varargs)
      raise("macro '{}' takes not more than {} argument(s)", definition_.name, known);
    if (!named.empty() && !definition_.uses_kwargs)
      raise("macro '{}' takes no keyword argument '{}'", definition_.name, named.front().first);
    if (definition_.uses_varargs) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(std::min(known, values.size()));
      frame->values["varargs"] = make_sequence(run.budget, SequenceKind::tuple, Items(first, values.end()));
    }
    if (!definition_.uses_kwargs) return;
    Dict rest;
    for (const auto& [name, value] : named) rest.set(make_text(run.budget, name), value);
    frame->values["kwargs"] = make_dict(run.budget, std::move(rest));
  }

  const MacroDefinition& definition_;
  FramePtr frame_;
};

Value make_macro(Run& run, const MacroDefinition& definition, const FramePtr& frame) {
  run.keep(frame);
  run.budget.take(sizeof(Macro) + sizeof(FramePtr));
  return make_object<Macro>(definition, frame);
}

// The variable `loop`.
class LoopState : public Object, public std::enable_shared_from_this<LoopState> {
 public:
  explicit LoopState(Items items) : items_(std::move(items)) {}
  std::string type_name() const override { return "LoopContext"; }
  void move_to(size_t index) { index_ = index; }
  std::optional<Value> attribute(std::string_view name) const override;

  Value item(size_t index) const {
    return index < items_.size() ? items_[index] : make_undefined("there is no such item of the loop");
  }
  size_t index() const { return index_; }
  // Returns whether the values print otherwise than those of the call before. Values are not kept, because
  // they could hold this loop.
  bool changed(Run& run, const Items& values) const {
    std::string shown;
    for (const Value& value : values) shown += repr(run.budget, value) + ",";
    const bool is_same = last_ == shown;
    last_ = std::move(shown);
    return !is_same;
  }

 private:
  Items items_;
  size_t index_ = 0;
  mutable std::optional<std::string> last_;
};

class LoopMethod : public Object {
 public:
  LoopMethod(std::shared_ptr<const LoopState> loop, bool cycles) : loop_(std::move(loop)), cycles_(cycles) {}
  std::string type_name() const override { return "method"; }
  bool is_callable() const override { return true; }
  Value call(Run& run, const Arguments& arguments) const override {
    if (!cycles_) return loop_->changed(run, arguments.values);
    if (arguments.values.empty()) raise("no items for cycling given");
    return arguments.values[loop_->index() % arguments.values.size()];
  }

 private:
  std::shared_ptr<const LoopState> loop_;
  bool cycles_;
};

std::optional<Value> LoopState::attribute(std::string_view name) const {
  const auto index = static_cast<int64_t>(index_), length = static_cast<int64_t>(items_.size());
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(length - index);
  if (name == "revindex0") return Value(length - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == length);
  if (name == "length") return Value(length);
  // Only recursive loops go deeper, which the parser refuses.
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") return index == 0 ? item(items_.size()) : item(index_ - 1);
  if (name == "nextitem") return item(index_ + 1);
  if (name == "cycle" || name == "changed")
    return make_object<LoopMethod>(shared_from_this(), name == "cycle");
  return std::nullopt;
}

}  // namespace

Flow Data::execute(Run& run, const FramePtr& /*frame*/) const {
  run.write(text_);
  return Flow::next;
}

Flow Print::execute(Run& run, const FramePtr& frame) const {
  const Value value = evaluate(*value_, run, frame);
  if (const std::string* text = value.text())
    run.write(*text);
  else
    run.write(str(run.budget, value));
  return Flow::next;
}

Flow If::execute(Run& run, const FramePtr& frame) const {
  for (const auto& [condition, body] : branches_)
    if (!condition || is_true(evaluate(*condition, run, frame))) return jinja::execute(body, run, frame);
  return Flow::next;
}

Items For::chosen_items(Run& run, const FramePtr& frame) const {
  Items items = items_of(run.budget, evaluate(*loop_.items, run, frame));
  if (!loop_.condition) return items;
  Items chosen;
  for (const Value& item : items) {
    const FramePtr inner = run.new_frame(frame);
    loop_.target.assign(run, inner, item);
    if (is_true(evaluate(*loop_.condition, run, inner))) chosen.push_back(item);
  }
  return chosen;
}

Flow For::execute(Run& run, const FramePtr& frame) const {
  Items items = chosen_items(run, frame);
  const size_t count = items.size();
  if (count == 0) return jinja::execute(loop_.otherwise, run, run.new_frame(frame));
  const auto loop = std::make_shared<LoopState>(std::move(items));
  for (size_t i = 0; i < count; ++i) {
    loop->move_to(i);
    const FramePtr inner = run.new_frame(frame);
    inner->values["loop"] = std::shared_ptr<Object>(loop);
    loop_.target.assign(run, inner, loop->item(i));
    if (jinja::execute(loop_.body, run, inner) == Flow::leave_loop) break;
  }
  return Flow::next;
}

Flow Set::execute(Run& run, const FramePtr& frame) const {
  target_.assign(run, frame, evaluate(*value_, run, frame));
  return Flow::next;
}

Flow TextBlock::execute(Run& run, const FramePtr& frame) const {
  Value text = make_text(run.budget, run.captured(body_, run.new_frame(frame)));
  for (const FilterCall& filter : filters_) text = filter.apply(run, frame, text);
  if (target_)
    target_->assign(run, frame, text);
  else
    run.write(str(run.budget, text));
  return Flow::next;
}

Flow With::execute(Run& run, const FramePtr& frame) const {
  const FramePtr inner = run.new_frame(frame);
  for (const auto& [target, value] : values_) target.assign(run, inner, evaluate(*value, run, frame));
  return jinja::execute(body_, run, inner);
}

Flow MacroStatement::execute(Run& run, const FramePtr& frame) const {
  frame->values[macro_.name] = make_macro(run, macro_, frame);
  return Flow::next;
}

Flow CallBlock::execute(Run& run, const FramePtr& frame) const {
  const Value caller = make_macro(run, caller_, frame);
  run.write(str(run.budget, call_->evaluate_with_caller(run, frame, caller)));
  return Flow::next;
}

Flow Generation::execute(Run& run, const FramePtr& frame) const {
  const bool is_visible = run.out == &run.text;
  run.has_hidden_generation = run.has_hidden_generation || !is_visible;
  const size_t begin = run.text.size();
  const Flow flow = jinja::execute(body_, run, run.new_frame(frame));
  if (is_visible) run.generation_spans.push_back({begin, run.text.size()});
  return flow;
}

}  // namespace galore::jinja
