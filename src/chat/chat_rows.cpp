#include "chat/chat_rows.h"

#include "core/errors.h"

namespace galore {
namespace {

ChatJson message(const std::string& role, const ChatJson& content) {
  return ChatJson{{"role", role}, {"content", content}};
}

const ChatJson& part_of(const ChatJson& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end()) fail(where, "expected the key '{}'", key);
  return *found;
}

std::string text_of_key(const ChatJson& row, const char* key, const std::string& where) {
  const ChatJson& value = part_of(row, key, where);
  if (!value.is_string()) fail(where, "{}: expected a text", key);
  return value.get<std::string>();
}

bool has_text(const ChatJson& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() && !found->get_ref<const std::string&>().empty();
}

const ChatJson& messages_of(const ChatJson& row, const char* key, const std::string& where) {
  const ChatJson& list = part_of(row, key, where);
  if (!list.is_array() || list.empty()) fail(where, "{}: expected a list of messages", key);
  for (const ChatJson& one : list)
    if (!one.is_object() || !one.contains("role")) fail(where, "{}: expected messages with a role", key);
  return list;
}

void read_pair(const ChatJson& row, const std::string& where, ChatRow& out) {
  const ChatJson& prompt = part_of(row, "prompt", where);
  out.is_plain = prompt.is_string();
  if (out.is_plain) {
    out.prompt = prompt.get<std::string>();
    out.completion = text_of_key(row, "completion", where);
    return;
  }
  out.chat.messages = messages_of(row, "prompt", where);
  out.first_trained = out.chat.messages.size();
  for (const ChatJson& one : messages_of(row, "completion", where)) out.chat.messages.push_back(one);
}

void add_system(const ChatJson& row, Chat& chat) {
  if (has_text(row, "system")) chat.messages.push_back(message("system", row["system"]));
}

void read_alpaca(const ChatJson& row, const std::string& where, ChatRow& out) {
  ChatJson& messages = out.chat.messages;
  add_system(row, out.chat);
  if (const auto history = row.find("history"); history != row.end() && history->is_array())
    for (const ChatJson& pair : *history) {
      if (!pair.is_array() || pair.size() != 2) fail(where, "history: expected pairs of texts");
      messages.push_back(message("user", pair[0]));
      messages.push_back(message("assistant", pair[1]));
    }
  std::string user = text_of_key(row, "instruction", where);
  if (has_text(row, "input")) user += "\n" + row["input"].get<std::string>();
  messages.push_back(message("user", user));
  messages.push_back(message("assistant", text_of_key(row, "output", where)));
}

std::string role_of(const std::string& from, const std::string& where) {
  static const std::map<std::string, std::string> roles{
      {"human", "user"},        {"user", "user"},
      {"gpt", "assistant"},     {"assistant", "assistant"},
      {"chatgpt", "assistant"}, {"bing", "assistant"},
      {"model", "assistant"},   {"function_call", "assistant"},
      {"system", "system"},     {"observation", "tool"},
      {"tool", "tool"}};
  const auto found = roles.find(from);
  if (found == roles.end())
    fail(where, "from: expected human, gpt, system, tool or the like, given '{}'", from);
  return found->second;
}

void read_sharegpt(const ChatJson& row, const std::string& where, ChatRow& out) {
  const ChatJson& turns = part_of(row, "conversations", where);
  if (!turns.is_array() || turns.empty()) fail(where, "conversations: expected a list of turns");
  add_system(row, out.chat);
  for (const ChatJson& turn : turns) {
    if (!turn.is_object()) fail(where, "conversations: expected objects");
    if (turn.contains("role")) {
      out.chat.messages.push_back(turn);
      continue;
    }
    const std::string from = text_of_key(turn, "from", where), value = text_of_key(turn, "value", where);
    ChatJson one = message(role_of(from, where), value);
    const ChatJson call = from == "function_call" ? ChatJson::parse(value, nullptr, false) : ChatJson();
    if (call.is_object()) {
      one["content"] = "";
      one["tool_calls"] = ChatJson::array({ChatJson{{"type", "function"}, {"function", call}}});
    }
    out.chat.messages.push_back(std::move(one));
  }
}

// Tools are a list, or its JSON text as some data sets have it.
ChatJson tools_of(const ChatJson& row, const std::string& where) {
  const auto found = row.find("tools");
  if (found == row.end() || found->is_null()) return nullptr;
  const ChatJson tools = !found->is_string() ? *found
                         : found->get_ref<const std::string&>().empty()
                             ? ChatJson()
                             : ChatJson::parse(found->get<std::string>(), nullptr, false);
  if (!tools.is_array() && !tools.is_null()) fail(where, "tools: expected a list of tools");
  return tools;
}

}  // namespace

bool is_chat_row(const ChatJson& row) {
  return row.contains("messages") || row.contains("conversations") || row.contains("instruction") ||
         (row.contains("prompt") && row.contains("completion"));
}

ChatRow read_chat_row(const ChatJson& row, const std::string& where) {
  if (!is_chat_row(row))
    fail(
        where,
        "expected messages, prompt and completion, instruction and output, conversations, text or input_ids");
  ChatRow out;
  if (row.contains("messages"))
    out.chat.messages = messages_of(row, "messages", where);
  else if (row.contains("conversations"))
    read_sharegpt(row, where, out);
  else if (row.contains("instruction"))
    read_alpaca(row, where, out);
  else
    read_pair(row, where, out);
  out.chat.tools = tools_of(row, where);
  const auto variables = row.find("chat_template_kwargs");
  if (variables != row.end() && !variables->is_null()) {
    if (!variables->is_object()) fail(where, "chat_template_kwargs: expected an object");
    out.chat.variables = *variables;
  }
  return out;
}

ChatJson template_variables(const std::string& option, const std::string& text) {
  if (text.empty()) return ChatJson::object();
  ChatJson variables = ChatJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!variables.is_object()) fail_usage(option, "expected a JSON object, given '{}'", text);
  return variables;
}

}  // namespace galore
