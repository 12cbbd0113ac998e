// The kinds of statements.
#pragma once

#include <utility>

#include "chat/jinja/expressions.h"
#include "chat/jinja/run.h"

namespace galore::jinja {

class Data : public Statement {
 public:
  Data(int at, std::string text) : Statement(at), text_(std::move(text)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  std::string text_;
};

class Print : public Statement {
 public:
  Print(int at, ExpressionPtr value) : Statement(at), value_(std::move(value)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  ExpressionPtr value_;
};

class If : public Statement {
 public:
  // A branch without a condition is "else".
  using Branches = std::vector<std::pair<ExpressionPtr, Body>>;
  If(int at, Branches branches) : Statement(at), branches_(std::move(branches)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  Branches branches_;
};

struct Loop {
  Target target;
  ExpressionPtr items, condition;  // condition: null unless it is written
  Body body, otherwise;
};
class For : public Statement {
 public:
  For(int at, Loop loop) : Statement(at), loop_(std::move(loop)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  Items chosen_items(Run& run, const FramePtr& frame) const;
  Loop loop_;
};

class Set : public Statement {
 public:
  Set(int at, Target target, ExpressionPtr value)
      : Statement(at), target_(std::move(target)), value_(std::move(value)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  Target target_;
  ExpressionPtr value_;
};

// Filters change the text that a body writes. With a target it is assigned, otherwise written.
class TextBlock : public Statement {
 public:
  TextBlock(int at, std::optional<Target> target, std::vector<FilterCall> filters, Body body)
      : Statement(at), target_(std::move(target)), filters_(std::move(filters)), body_(std::move(body)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  std::optional<Target> target_;
  std::vector<FilterCall> filters_;
  Body body_;
};

class With : public Statement {
 public:
  using Values = std::vector<std::pair<Target, ExpressionPtr>>;
  With(int at, Values values, Body body)
      : Statement(at), values_(std::move(values)), body_(std::move(body)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  Values values_;
  Body body_;
};

struct MacroDefinition {
  struct Parameter {
    std::string name;
    ExpressionPtr standard;  // null: undefined if it is not given
  };
  std::string name;
  std::vector<Parameter> parameters;
  Body body;
  // These are true if the body uses the variables.
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

class MacroStatement : public Statement {
 public:
  MacroStatement(int at, MacroDefinition macro) : Statement(at), macro_(std::move(macro)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  MacroDefinition macro_;
};

class CallBlock : public Statement {
 public:
  CallBlock(int at, std::unique_ptr<const Call> call, MacroDefinition caller)
      : Statement(at), call_(std::move(call)), caller_(std::move(caller)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  std::unique_ptr<const Call> call_;
  MacroDefinition caller_;
};

// {% generation %}: the text of the assistant.
class Generation : public Statement {
 public:
  Generation(int at, Body body) : Statement(at), body_(std::move(body)) {}
  Flow execute(Run& run, const FramePtr& frame) const override;

 private:
  Body body_;
};

class Jump : public Statement {
 public:
  Jump(int at, Flow flow) : Statement(at), flow_(flow) {}
  Flow execute(Run&, const FramePtr&) const override { return flow_; }

 private:
  Flow flow_;
};

}  // namespace galore::jinja
