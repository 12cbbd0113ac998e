// Options of conversations: their template, and which of their tokens are learned.
#pragma once

#include <string>

namespace galore {

struct ChatOptions {
  std::string chat_template;         // a file, or the name of one of the tokenizer's templates
  std::string chat_template_kwargs;  // a JSON object with more variables of the template
  bool train_on_inputs = false;      // the loss counts all tokens, not only the assistant's
};

}  // namespace galore
