// Reads any bytes as a chat template. It is refused with an Error, or renders a conversation within its
// limits; the parts that it marks as the assistant's lie in the text one after the other.
#include "chat/chat_template.h"

#include "core/errors.h"

namespace {

using namespace galore;

const ChatJson& conversation() {
  static const ChatJson variables = ChatJson::parse(R"({
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "caf\u00e9 \ud83d\ude00?"}]},
      {"role": "assistant", "content": null, "tool_calls": [{"type": "function", "id": "a1",
        "function": {"name": "add", "arguments": {"x": 1, "y": [2.5, null, true]}}}]},
      {"role": "tool", "content": "3.5", "tool_call_id": "a1"},
      {"role": "assistant", "content": "<think>\nhm</think>\n\n3.5"}],
    "tools": [{"type": "function", "function": {"name": "add", "description": "adds",
      "parameters": {"type": "object", "properties": {"x": {"type": "number"}}}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true})");
  return variables;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  try {
    const ChatTemplate chat("fuzz", source, {.steps = 20'000, .bytes = int64_t{16} << 20});
    const RenderedChat rendered = chat.render(conversation());
    size_t end = 0;
    for (const TextSpan& span : rendered.assistant) {
      if (span.begin < end || span.end < span.begin || span.end > rendered.text.size()) std::abort();
      end = span.end;
    }
    const bool tells_time = source.find("strftime_now") != std::string_view::npos;
    if (!tells_time && chat.render(conversation()).text != rendered.text) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
