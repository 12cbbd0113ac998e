// Renders chat templates for tests/chat/compare_templates.py: reads one JSON object a line,
// {"template": TEXT, "variables": {...}}, and writes {"text", "assistant"} or {"error"}.
#include <iostream>

#include "chat/chat_template.h"
#include "core/errors.h"

int main() {
  using galore::ChatJson;
  for (std::string line; std::getline(std::cin, line);) {
    const ChatJson row = ChatJson::parse(line);
    ChatJson out;
    try {
      const galore::ChatTemplate chat_template("template", row["template"].get<std::string>());
      const galore::RenderedChat chat = chat_template.render(row["variables"]);
      out = {{"text", chat.text}, {"assistant", ChatJson::array()}};
      for (const galore::TextSpan& span : chat.assistant) out["assistant"].push_back({span.begin, span.end});
    } catch (const galore::Error& error) {
      out = {{"error", error.what()}};
    }
    std::cout << out.dump() << '\n';
  }
  return 0;
}
