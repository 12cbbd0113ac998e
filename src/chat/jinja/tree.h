// The syntax tree of a template. Expressions give values; statements write text.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chat/jinja/value.h"

namespace galore::jinja {

// The variables of a block. A block sees the variables of the blocks around it, and sets its own.
struct Frame {
  std::map<std::string, Value, std::less<>> values;
  std::shared_ptr<Frame> parent;

  const Value* find(std::string_view name) const;
};
using FramePtr = std::shared_ptr<Frame>;

class Expression {
 public:
  virtual ~Expression() = default;
  virtual Value evaluate(Run& run, const FramePtr& frame) const = 0;
};
using ExpressionPtr = std::unique_ptr<const Expression>;

// Evaluates within the limits.
Value evaluate(const Expression& expression, Run& run, const FramePtr& frame);

enum class Flow { next, leave_loop, next_item };

class Statement {
 public:
  explicit Statement(int at) : line(at) {}
  virtual ~Statement() = default;
  virtual Flow execute(Run& run, const FramePtr& frame) const = 0;
  int line;
};
using Body = std::vector<std::unique_ptr<const Statement>>;

// Executes statements up to the first that leaves the body. A Fault gets the line of its statement.
Flow execute(const Body& body, Run& run, const FramePtr& frame);

// The arguments of a call as they are written.
struct ArgumentList {
  std::vector<ExpressionPtr> values;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr rest, named_rest;  // *rest, **named_rest

  Arguments evaluate(Run& run, const FramePtr& frame) const;
};

// A filter with its arguments, without the value that it is applied to.
struct FilterCall {
  std::string name;
  ArgumentList arguments;

  Value apply(Run& run, const FramePtr& frame, const Value& subject) const;
};

// The left side of an assignment or of a loop: a name, an attribute of a namespace, or a tuple of targets.
struct Target {
  std::string name, attribute;  // attribute: empty unless it is one of a namespace
  std::vector<Target> parts;    // empty unless it is a tuple

  void assign(Run& run, const FramePtr& frame, const Value& value) const;
};

}  // namespace galore::jinja
