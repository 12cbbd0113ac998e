// The kinds of expressions.
#pragma once

#include <utility>

#include "chat/jinja/operations.h"
#include "chat/jinja/tree.h"

namespace galore::jinja {

class Literal : public Expression {
 public:
  Literal(int at, Value value) : Expression(at), value_(std::move(value)) {}
  Value evaluate(Run&, const FramePtr&) const override { return value_; }

 private:
  Value value_;
};

class Name : public Expression {
 public:
  Name(int at, std::string name) : Expression(at), name_(std::move(name)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

class ListLiteral : public Expression {
 public:
  ListLiteral(int at, SequenceKind kind, std::vector<ExpressionPtr> items)
      : Expression(at), kind_(kind), items_(std::move(items)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  SequenceKind kind_;
  std::vector<ExpressionPtr> items_;
};

class DictLiteral : public Expression {
 public:
  using Entries = std::vector<std::pair<ExpressionPtr, ExpressionPtr>>;
  DictLiteral(int at, Entries entries) : Expression(at), entries_(std::move(entries)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  Entries entries_;
};

enum class Prefix { negative, positive, logical_not };
class PrefixOperation : public Expression {
 public:
  PrefixOperation(int at, Prefix op, ExpressionPtr operand)
      : Expression(at), op_(op), operand_(std::move(operand)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  Prefix op_;
  ExpressionPtr operand_;
};

class Arithmetic : public Expression {
 public:
  Arithmetic(int at, Operator op, ExpressionPtr left, ExpressionPtr right)
      : Expression(at), op_(op), left_(std::move(left)), right_(std::move(right)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  Operator op_;
  ExpressionPtr left_, right_;
};

// "and" and "or" give the operand that decides.
class Logical : public Expression {
 public:
  Logical(int at, bool is_and, ExpressionPtr left, ExpressionPtr right)
      : Expression(at), is_and_(is_and), left_(std::move(left)), right_(std::move(right)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  bool is_and_;
  ExpressionPtr left_, right_;
};

// A chain such as a < b < c.
class Comparisons : public Expression {
 public:
  using Chain = std::vector<std::pair<Comparison, ExpressionPtr>>;
  Comparisons(int at, ExpressionPtr first, Chain chain)
      : Expression(at), first_(std::move(first)), chain_(std::move(chain)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr first_;
  Chain chain_;
};

// The texts of all parts, joined by "~".
class Concatenation : public Expression {
 public:
  Concatenation(int at, std::vector<ExpressionPtr> parts) : Expression(at), parts_(std::move(parts)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  std::vector<ExpressionPtr> parts_;
};

class Conditional : public Expression {
 public:
  // `otherwise` may be null; the value is then undefined.
  Conditional(int at, ExpressionPtr condition, ExpressionPtr value, ExpressionPtr otherwise)
      : Expression(at),
        condition_(std::move(condition)),
        value_(std::move(value)),
        otherwise_(std::move(otherwise)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr condition_, value_, otherwise_;
};

class AttributeOf : public Expression {
 public:
  AttributeOf(int at, ExpressionPtr object, std::string name)
      : Expression(at), object_(std::move(object)), name_(std::move(name)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr object_;
  std::string name_;
};

class ItemOf : public Expression {
 public:
  ItemOf(int at, ExpressionPtr object, ExpressionPtr key)
      : Expression(at), object_(std::move(object)), key_(std::move(key)) {}
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
  SliceOf(int at, ExpressionPtr object, SliceEnds ends)
      : Expression(at), object_(std::move(object)), ends_(std::move(ends)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr object_;
  SliceEnds ends_;
};

class Call : public Expression {
 public:
  Call(int at, ExpressionPtr callee, ArgumentList arguments)
      : Expression(at), callee_(std::move(callee)), arguments_(std::move(arguments)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;
  // Calls with one more argument, the body of a call block.
  Value evaluate_with_caller(Run& run, const FramePtr& frame, const Value& caller) const;

 private:
  ExpressionPtr callee_;
  ArgumentList arguments_;
};

class Filtered : public Expression {
 public:
  Filtered(int at, ExpressionPtr subject, FilterCall filter)
      : Expression(at), subject_(std::move(subject)), filter_(std::move(filter)) {}
  Value evaluate(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr subject_;
  FilterCall filter_;
};

class Tested : public Expression {
 public:
  Tested(int at, ExpressionPtr subject, std::string test, ArgumentList arguments, bool negated)
      : Expression(at),
        subject_(std::move(subject)),
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
