// The chat templates of a tokenizer's folder, and the variables that transformers gives them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "core/files.h"

namespace galore {

// A conversation and what the template is told besides.
struct Chat {
  ChatJson messages = ChatJson::array();
  ChatJson tools;                           // null: none
  ChatJson variables = ChatJson::object();  // more variables of the template (chat_template_kwargs)
};

class ChatTemplates {
 public:
  // Reads chat_template.jinja and additional_chat_templates/*.jinja or, without these, chat_template of
  // tokenizer_config.json (one text, or a list of {"name", "template"}), or else of chat_template.json.
  // `tokenizer` is a folder or a file in it. A folder without templates gives an empty set.
  explicit ChatTemplates(const Path& tokenizer);
  // Adds a template that is used for every chat: the path of a file, or the name of one of the templates.
  void choose(const std::string& name_or_file);

  bool empty() const { return templates_.empty(); }
  // Returns the chosen template, or "tool_use" for chats with tools, or "default". No fitting template is an
  // Error that names those that there are.
  const ChatTemplate& template_for(const Chat& chat) const;
  RenderedChat render(const Chat& chat, bool add_generation_prompt) const;
  // Returns 16 hex digits computed from the templates and the special tokens.
  std::string fingerprint() const;

 private:
  void read_files(const Path& folder);
  void add(const std::string& name, const std::string& file, const std::string& source);

  std::string where_;
  std::map<std::string, ChatTemplate> templates_;
  std::string chosen_;
  ChatJson special_tokens_ = ChatJson::object();
  uint64_t hash_ = 0;
};

}  // namespace galore
