// Continues a text: generation of tokens (generate.h), shown and ended by their text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/generate.h"

namespace galore {

// The text of a sequence of tokens.
using Decode = std::function<std::string(const std::vector<int64_t>&)>;

// Text of tokens that come one by one. All tokens are decoded each time, because the text of a token depends
// on those before it.
class TextStream {
 public:
  TextStream(Decode decode, std::vector<int64_t> prompt);
  // The text that this token completes; "" while a character lacks bytes.
  std::string add(int64_t id);

 private:
  Decode decode_;
  std::vector<int64_t> ids_;
  std::string shown_;
};

struct GeneratedText {
  std::string text;
  std::vector<int64_t> ids;  // new tokens only
};

// Generation ends at the options' limits, or with the token by which the new text holds one of
// `stop_strings`. `receive` gets each piece of new text.
GeneratedText generate_text(CausalLM& model, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode,
                            const std::function<void(const std::string&)>& receive = {});

}  // namespace galore
