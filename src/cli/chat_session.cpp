#include "cli/chat_session.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "core/errors.h"

namespace galore {

Decode decoder_of(const Tokenizer& tokenizer) {
  return [&tokenizer](const std::vector<int64_t>& ids) {
    std::vector<int32_t> known(ids.begin(), ids.end());
    std::erase_if(known, [&](int32_t id) { return id >= tokenizer.vocab_size(); });
    return tokenizer.decode(known, /*skip_special=*/true);
  };
}

ChatSession::ChatSession(CausalLM& model, const Tokenizer& tokenizer, const Settings& settings,
                         OptionsFor options_for)
    : tokenizer_(tokenizer),
      settings_(settings),
      options_for_(std::move(options_for)),
      encoder_(tokenizer, settings.chat),
      sequence_(model) {
  reset();
  [[maybe_unused]] const ChatTemplate& must_exist = encoder_.templates().template_for(chat_);
}

void ChatSession::reset() {
  chat_.messages = ChatJson::array();
  if (!settings_.system.empty())
    chat_.messages.push_back(ChatJson{{"role", "system"}, {"content", settings_.system}});
}

GeneratedText ChatSession::answer(const std::string& message,
                                  const std::function<void(const std::string&)>& receive) {
  Chat next = chat_;
  next.messages.push_back(ChatJson{{"role", "user"}, {"content", message}});
  const std::vector<int32_t> ids =
      tokenizer_.encode(encoder_.prompt_text(next), /*add_special_tokens=*/false);
  const std::vector<int64_t> prompt(ids.begin(), ids.end());
  GenerateOptions options = options_for_(static_cast<int64_t>(prompt.size()));
  if (tokenizer_.eos_id()) options.stop_ids.push_back(*tokenizer_.eos_id());
  bool is_first = true;
  const GeneratedText reply = generate_text(sequence_, prompt, options, settings_.stop_strings,
                                            decoder_of(tokenizer_), [&](const std::string& fresh) {
                                              if (std::exchange(is_first, false))
                                                reused_ = sequence_.reused();
                                              if (receive) receive(fresh);
                                            });
  next.messages.push_back(ChatJson{{"role", "assistant"}, {"content", reply.text}});
  chat_ = std::move(next);
  return reply;
}

void read_messages(ChatSession& session, const std::function<void(const std::string&)>& say) {
  const bool asks = isatty(STDIN_FILENO) != 0;
  for (std::string line;;) {
    if (asks) std::cerr << "> " << std::flush;
    if (!std::getline(std::cin, line) || line == "/exit") return;
    if (line == "/reset")
      session.reset();
    else if (!line.empty())
      say(line);
  }
}

}  // namespace galore
