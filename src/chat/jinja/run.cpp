#include "chat/jinja/run.h"

#include "chat/jinja/filters.h"
#include "chat/jinja/operations.h"

namespace galore::jinja {

std::optional<Value> Namespace::attribute(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional<Value>(found->second);
}

// Values may refer to each other through namespaces and macros. Emptying these first frees all of them, one
// after the other.
Run::~Run() {
  for (const auto& space : namespaces_) space->clear();
  for (const FramePtr& frame : kept_) frame->values.clear();
}

std::string Run::captured(const Body& body, const FramePtr& frame) {
  std::string own;
  std::string* const before = out;
  out = &own;
  try {
    execute(body, *this, frame);
  } catch (...) {
    out = before;
    throw;
  }
  out = before;
  return own;
}

std::shared_ptr<Namespace> Run::new_namespace() {
  budget.take(sizeof(Namespace) + 128);
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

const Value* Frame::find(std::string_view name) const {
  for (const Frame* frame = this; frame; frame = frame->parent.get()) {
    const auto found = frame->values.find(name);
    if (found != frame->values.end()) return &found->second;
  }
  return nullptr;
}

Value evaluate(const Expression& expression, Run& run, const FramePtr& frame) {
  run.budget.step();
  const Budget::Level level(run.budget);
  return expression.evaluate(run, frame);
}

Flow execute(const Body& body, Run& run, const FramePtr& frame) {
  const Budget::Level level(run.budget);
  for (const auto& statement : body) try {
      run.budget.step();
      const Flow flow = statement->execute(run, frame);
      if (flow != Flow::next) return flow;
    } catch (Fault& fault) {
      if (fault.line == 0) fault.line = statement->line;
      throw;
    }
  return Flow::next;
}

Arguments ArgumentList::evaluate(Run& run, const FramePtr& frame) const {
  Arguments out;
  for (const auto& value : values) out.values.push_back(jinja::evaluate(*value, run, frame));
  if (rest)
    for (Value& item : items_of(run.budget, jinja::evaluate(*rest, run, frame))) out.values.push_back(item);
  for (const auto& [name, value] : named) out.named.emplace_back(name, jinja::evaluate(*value, run, frame));
  if (!named_rest) return out;
  const Value more = jinja::evaluate(*named_rest, run, frame);
  if (!more.dict()) raise("argument after ** must be a mapping, not {}", type_name(more));
  for (const auto& [key, value] : more.dict()->entries()) {
    if (!key.text()) raise("keywords must be strings");
    out.named.emplace_back(*key.text(), value);
  }
  return out;
}

Value FilterCall::apply(Run& run, const FramePtr& frame, const Value& subject) const {
  return apply_filter(run, name, subject, arguments.evaluate(run, frame));
}

void Target::assign(Run& run, const FramePtr& frame, const Value& value) const {
  if (!parts.empty()) {
    const Items items = items_of(run.budget, value);
    if (items.size() != parts.size())
      raise("expected {} values to unpack, given {}", parts.size(), items.size());
    for (size_t i = 0; i < parts.size(); ++i) parts[i].assign(run, frame, items[i]);
  } else if (attribute.empty()) {
    run.budget.take(sizeof(Value) + name.size());
    frame->values[name] = value;
  } else {
    const Value* owner = frame->find(name);
    const auto* object = owner ? owner->as<std::shared_ptr<Object>>() : nullptr;
    auto* space = object ? dynamic_cast<Namespace*>(object->get()) : nullptr;
    if (!space) raise("cannot assign attribute on non-namespace object");
    if (attribute.starts_with('_'))
      raise("a namespace cannot hold '{}': names may not begin with '_'", attribute);
    space->set(attribute, value);
  }
}

}  // namespace galore::jinja
