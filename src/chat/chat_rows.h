// The forms of rows of instruction data, and the conversations that they hold.
//
//   {"messages": [{"role", "content", ...}]}
//   {"prompt", "completion"}: two texts, or two lists of messages
//   {"instruction", "input", "output"} (alpaca), with optional "system" and "history" (pairs of texts)
//   {"conversations": [{"from", "value"}]} (sharegpt), with optional "system"
// All may have "tools" (a list or its JSON text) and "chat_template_kwargs" (variables of the template).
#pragma once

#include <string>

#include "chat/chat_templates.h"

namespace galore {

struct ChatRow {
  Chat chat;
  size_t first_trained = 0;  // only messages from this number on are trained
  bool is_plain = false;     // prompt and completion are texts, which no template renders
  std::string prompt, completion;
};

// Returns whether the row has one of these forms.
bool is_chat_row(const ChatJson& row);
// A row that lacks a part is an Error with its place.
ChatRow read_chat_row(const ChatJson& row, const std::string& where);
// Returns the variables of a JSON object's text; any other text is a UsageError that names the option.
ChatJson template_variables(const std::string& option, const std::string& text);

}  // namespace galore
