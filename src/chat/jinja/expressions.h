// The kinds of expressions.
#pragma once

#include <utility>

#include "chat/jinja/operations.h"
#include "chat/jinja/tree.h"

namespace galore::jinja {

class Literal : public Expression {
 public:
  explicit Literal(Value value) : value_(std::move(value)) {}
  Value evaluate(Run&, const FramePtr&) const override { return value_; }

 private:
  Value value_;
};

class Name : public Expression {
 public:
  explicit Name(std::string name) : name_(std::move(name)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

class ListLiteral : public Expression {
 public:
  ListLiteral(SequenceKind kind, std::vector<ExpressionPtr> items) : kind_(kind), items_(std::move(items)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  SequenceKind kind_;
  std::vector<ExpressionPtr> items_;
};

class DictLiteral : public Expression {
 public:
  using Entries = std::vector<std::pair<ExpressionPtr, ExpressionPtr>>;
  explicit DictLiteral(Entries entries) : entries_(std::move(entries)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  Entries entries_;
};

enum class Prefix { negative, positive, logical_not };
class PrefixOperation : public Expression {
 public:
  PrefixOperation(Prefix op, ExpressionPtr operand) : op_(op), operand_(std::move(operand)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  Prefix op_;
  ExpressionPtr operand_;
};

class Arithmetic : public Expression {
 public:
  Arithmetic(Operator op, ExpressionPtr left, ExpressionPtr right)
      : op_(op), left_(std::move(left)), right_(std::move(right)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  Operator op_;
  ExpressionPtr left_, right_;
};

// "and" and "or" give the operand that decides.
class Logical : public Expression {
 public:
  Logical(bool is_and, ExpressionPtr left, ExpressionPtr right)
      : is_and_(is_and), left_(std::move(left)), right_(std::move(right)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  bool is_and_;
  ExpressionPtr left_, right_;
};

// A chain such as a < b < c.
class Comparisons : public Expression {
 public:
  using Chain = std::vector<std::pair<Comparison, ExpressionPtr>>;
  Comparisons(ExpressionPtr first, Chain chain) : first_(std::move(first)), chain_(std::move(chain)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr first_;
  Chain chain_;
};

// Joins the texts of the parts between "~".
class Concatenation : public Expression {
 public:
  explicit Concatenation(std::vector<ExpressionPtr> parts) : parts_(std::move(parts)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  std::vector<ExpressionPtr> parts_;
};

class Conditional : public Expression {
 public:
  // `otherwise` may be null; the value is then undefined.
  Conditional(ExpressionPtr condition, ExpressionPtr value, ExpressionPtr otherwise)
      : condition_(std::move(condition)), value_(std::move(value)), otherwise_(std::move(otherwise)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr condition_, value_, otherwise_;
};

class AttributeOf : public Expression {
 public:
  AttributeOf(ExpressionPtr object, std::string name) : object_(std::move(object)), name_(std::move(name)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr object_;
  std::string name_;
};

class ItemOf : public Expression {
 public:
  ItemOf(ExpressionPtr object, ExpressionPtr key) : object_(std::move(object)), key_(std::move(key)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr object_, key_;
};

// The ends are null where they are not written.
struct SliceEnds {
  ExpressionPtr start, stop, step;
};
class SliceOf : public Expression {
 public:
  SliceOf(ExpressionPtr object, SliceEnds ends) : object_(std::move(object)), ends_(std::move(ends)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr object_;
  SliceEnds ends_;
};

class Call : public Expression {
 public:
  Call(ExpressionPtr callee, ArgumentList arguments)
      : callee_(std::move(callee)), arguments_(std::move(arguments)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;
  // Calls with one more argument, the body of a call block.
  Value evaluate_with_caller(Run& run, const FramePtr& frame, const Value& caller) const;

 private:
  ExpressionPtr callee_;
  ArgumentList arguments_;
};

class Filtered : public Expression {
 public:
  Filtered(ExpressionPtr subject, FilterCall filter)
      : subject_(std::move(subject)), filter_(std::move(filter)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr subject_;
  FilterCall filter_;
};

class Tested : public Expression {
 public:
  Tested(ExpressionPtr subject, std::string test, ArgumentList arguments, bool negated)
      : subject_(std::move(subject)),
        test_(std::move(test)),
        arguments_(std::move(arguments)),
        negated_(negated) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr subject_;
  std::string test_;
  ArgumentList arguments_;
  bool negated_;
};

}  // namespace galore::jinja
