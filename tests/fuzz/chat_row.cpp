// Reads any bytes as a row of instruction data. A row is refused with an Error, or its messages can be
// rendered.
#include "chat/chat_rows.h"
#include "core/errors.h"

namespace {

constexpr const char* kTemplate =
    "{%- for m in messages %}{{ m.role }}:{{ m.content }}{{ m.tool_calls | tojson if m.tool_calls }}\n"
    "{%- endfor %}{{ tools | tojson if tools }}";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galore;
  static const ChatTemplate chat("fuzz", kTemplate, {.steps = 20'000, .bytes = int64_t{16} << 20});
  const ChatJson row = ChatJson::parse(data, data + size, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object()) return 0;
  const bool known = is_chat_row(row);
  try {
    const ChatRow read = read_chat_row(row, "fuzz:1");
    if (!known || read.first_trained > read.chat.messages.size()) std::abort();
    if (read.is_plain) return 0;
    ChatJson variables = read.chat.variables;
    variables["messages"] = read.chat.messages;
    variables["tools"] = read.chat.tools;
    chat.render(variables);
  } catch (const Error&) {
  }
  return 0;
}
