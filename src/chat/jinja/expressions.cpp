#include "chat/jinja/expressions.h"

#include "chat/jinja/filters.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {

Value Name::evaluate(Run& /*run*/, const FramePtr& frame) const {
  if (const Value* found = frame->find(name_)) return *found;
  return make_undefined("'" + name_ + "' is undefined");
}

Value ListLiteral::evaluate(Run& run, const FramePtr& frame) const {
  Items items;
  for (const auto& item : items_) items.push_back(jinja::evaluate(*item, run, frame));
  return make_sequence(run.budget, kind_, std::move(items));
}

Value DictLiteral::evaluate(Run& run, const FramePtr& frame) const {
  Dict dict;
  for (const auto& [key, value] : entries_)
    dict.set(jinja::evaluate(*key, run, frame), jinja::evaluate(*value, run, frame));
  return make_dict(run.budget, std::move(dict));
}

Value PrefixOperation::evaluate(Run& run, const FramePtr& frame) const {
  const Value value = jinja::evaluate(*operand_, run, frame);
  if (op_ == Prefix::logical_not) return !is_true(value);
  if (op_ == Prefix::negative) return negated(run, value);
  return negated(run, negated(run, value));
}

Value Arithmetic::evaluate(Run& run, const FramePtr& frame) const {
  const Value left = jinja::evaluate(*left_, run, frame);
  return apply_operator(run, op_, left, jinja::evaluate(*right_, run, frame));
}

Value Logical::evaluate(Run& run, const FramePtr& frame) const {
  const Value left = jinja::evaluate(*left_, run, frame);
  return is_true(left) == is_and_ ? jinja::evaluate(*right_, run, frame) : left;
}

Value Comparisons::evaluate(Run& run, const FramePtr& frame) const {
  Value left = jinja::evaluate(*first_, run, frame);
  for (const auto& [op, operand] : chain_) {
    const Value right = jinja::evaluate(*operand, run, frame);
    if (!compare(run, op, left, right)) return false;
    left = right;
  }
  return true;
}

Value Concatenation::evaluate(Run& run, const FramePtr& frame) const {
  std::string text;
  for (const auto& part : parts_) text += str(run.budget, jinja::evaluate(*part, run, frame));
  return make_text(run.budget, std::move(text));
}

Value Conditional::evaluate(Run& run, const FramePtr& frame) const {
  if (is_true(jinja::evaluate(*condition_, run, frame))) return jinja::evaluate(*value_, run, frame);
  if (otherwise_) return jinja::evaluate(*otherwise_, run, frame);
  return make_undefined("the inline if-expression evaluated to false and no else section was defined.");
}

Value AttributeOf::evaluate(Run& run, const FramePtr& frame) const {
  return attribute_of(jinja::evaluate(*object_, run, frame), name_);
}

Value ItemOf::evaluate(Run& run, const FramePtr& frame) const {
  const Value object = jinja::evaluate(*object_, run, frame);
  return item_of(run, object, jinja::evaluate(*key_, run, frame));
}

Value SliceOf::evaluate(Run& run, const FramePtr& frame) const {
  const auto end = [&](const ExpressionPtr& written) {
    return written ? jinja::evaluate(*written, run, frame) : Value();
  };
  const Value object = jinja::evaluate(*object_, run, frame), start = end(ends_.start),
              stop = end(ends_.stop);
  return slice_of(run, object, start, stop, end(ends_.step));
}

Value Call::evaluate(Run& run, const FramePtr& frame) const {
  const Value callee = jinja::evaluate(*callee_, run, frame);
  return call(run, callee, arguments_.evaluate(run, frame));
}

Value Call::evaluate_with_caller(Run& run, const FramePtr& frame, const Value& caller) const {
  const Value callee = jinja::evaluate(*callee_, run, frame);
  Arguments arguments = arguments_.evaluate(run, frame);
  arguments.named.emplace_back("caller", caller);
  return call(run, callee, arguments);
}

Value Filtered::evaluate(Run& run, const FramePtr& frame) const {
  return filter_.apply(run, frame, jinja::evaluate(*subject_, run, frame));
}

Value Tested::evaluate(Run& run, const FramePtr& frame) const {
  const Value subject = jinja::evaluate(*subject_, run, frame);
  return apply_test(run, test_, subject, arguments_.evaluate(run, frame)) != negated_;
}

}  // namespace galore::jinja
