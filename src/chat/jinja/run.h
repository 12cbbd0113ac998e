// The state of one rendering.
#pragma once

#include <string>
#include <vector>

#include "chat/jinja/tree.h"
#include "chat/text_span.h"

namespace galore::jinja {

// The object that namespace() makes; its attributes can be set from any block.
class Namespace : public Object {
 public:
  std::string type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(std::string_view name) const override;
  void set(const std::string& name, const Value& value) { values_[name] = value; }
  void clear() { values_.clear(); }

 private:
  std::map<std::string, Value, std::less<>> values_;
};

class Run {
 public:
  explicit Run(const Limits& limits) : budget(limits) {}
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void write(std::string_view text) {
    budget.take(text.size());
    out->append(text);
  }
  // Executes a body and returns the text that it writes.
  std::string captured(const Body& body, const FramePtr& frame);
  FramePtr new_frame(const FramePtr& parent) {
    budget.take(sizeof(Frame));
    auto frame = std::make_shared<Frame>();
    frame->parent = parent;
    return frame;
  }
  std::shared_ptr<Namespace> new_namespace();
  // A macro refers to the frame that holds it. Such frames are emptied at the end, so that they are freed.
  void keep(const FramePtr& frame) { kept_.push_back(frame); }

  Budget budget;
  std::string text;          // rendered so far
  std::string* out = &text;  // where statements write
  std::vector<TextSpan> generation_spans;
  bool has_hidden_generation = false;  // a generation block inside a macro or a set block

 private:
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  std::vector<FramePtr> kept_;
};

}  // namespace galore::jinja
