// A conversation in the terminal.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "chat/chat_encoder.h"
#include "models/generate.h"

namespace galore {

// Returns a function that turns ids into text without special tokens. A model may have more ids than its
// tokenizer has tokens; those have no text.
Decode decoder_of(const Tokenizer& tokenizer);

class ChatSession {
 public:
  struct Settings {
    ChatOptions chat;
    std::string system;  // "" : no system message
    std::vector<std::string> stop_strings;
  };
  using OptionsFor = std::function<GenerateOptions(int64_t prompt_tokens)>;

  // A tokenizer without a chat template is an Error. What is passed must outlive the session.
  ChatSession(CausalLM& model, const Tokenizer& tokenizer, const Settings& settings, OptionsFor options_for);

  // Returns the assistant's reply to a message and adds both to the conversation. `receive` gets the text
  // piece by piece. Keys and values of the conversation so far are kept, so each token is computed once.
  GeneratedText answer(const std::string& message, const std::function<void(const std::string&)>& receive);
  // Forgets everything but the system message.
  void reset();
  // Returns the number of tokens of the last prompt that had been computed before.
  int64_t reused_tokens() const { return reused_; }

 private:
  const Tokenizer& tokenizer_;
  Settings settings_;
  OptionsFor options_for_;
  ChatEncoder encoder_;
  CachedSequence sequence_;
  Chat chat_;
  int64_t reused_ = 0;
};

// Reads messages from the input, a line each, until its end or "/exit". "/reset" forgets the conversation.
void read_messages(ChatSession& session, const std::function<void(const std::string&)>& say);

}  // namespace galore
