// A chat template: a Jinja template that turns the messages of a conversation into one text. The result
// equals that of transformers' apply_chat_template to the byte.
//
// Templates come with downloaded models. They read nothing but their variables, and limits on steps, memory
// and depth stop hostile ones (jinja/budget.h).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja/budget.h"
#include "chat/text_span.h"

namespace galore {
namespace jinja {
struct ParsedTemplate;
}

using ChatJson = nlohmann::ordered_json;

struct RenderedChat {
  std::string text;
  std::vector<TextSpan> assistant;  // the parts inside of generation blocks, in order
  // A generation block stood inside of a macro, a set or a filter block, so its place in the text is unknown.
  bool has_hidden_block = false;
};

class ChatTemplate {
 public:
  // `name` names the template in messages. A source that is not a template is an Error with its line.
  ChatTemplate(std::string name, std::string_view source, const jinja::Limits& limits = {});
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;

  // `variables` is an object. Faults of the template, those that it raises itself included, are Errors with
  // the template's name and the line. Several threads may call it at once.
  RenderedChat render(const ChatJson& variables) const;
  // Returns whether the template marks the assistant's text by {% generation %}.
  bool has_generation_blocks() const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  jinja::Limits limits_;
  std::unique_ptr<const jinja::ParsedTemplate> parsed_;
};

}  // namespace galore
