// Turns rows of instruction data into token ids and labels.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chat/chat_options.h"
#include "chat/chat_rows.h"
#include "tokenizer/tokenizer.h"

namespace galore {

struct EncodedChat {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;  // -100: not trained
};

class ChatEncoder {
 public:
  // The templates come from the tokenizer's folder. `tokenizer` must outlive this object.
  ChatEncoder(const Tokenizer& tokenizer, const ChatOptions& options);

  // Encodes a row (chat_rows.h). The assistant's tokens are those of the template's generation blocks.
  // Without such blocks, each assistant's message is the difference between the text up to it and the text
  // before it with the generation prompt; where these texts are not beginnings of the whole text, the row is
  // an Error. Two plain texts are encoded one after the other, with eos behind the completion, which is
  // trained. Several threads may call it.
  EncodedChat encode(const ChatJson& row, const std::string& where) const;
  // Returns the text of a conversation that the assistant is to answer.
  std::string prompt_text(const Chat& chat) const;
  const ChatTemplates& templates() const { return templates_; }
  // Returns a text that differs if rows would get other ids or labels.
  std::string fingerprint() const;

 private:
  EncodedChat encode_plain(const ChatRow& row) const;
  std::vector<TextSpan> trained_spans(const ChatRow& row, const RenderedChat& whole) const;
  std::vector<TextSpan> spans_by_prefix(const ChatRow& row, const std::string& whole) const;
  Chat with_variables(const Chat& chat) const;

  const Tokenizer& tokenizer_;
  ChatTemplates templates_;
  ChatJson variables_;
  bool train_on_inputs_;
};

}  // namespace galore
