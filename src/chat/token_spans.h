// Finds which part of a text each of its tokens stands for.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "chat/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace galore {

// `ids` are those of tokenizer.encode(text). The places are found by decoding: a token's text is looked for
// where the text before it ended. White space that the tokenizer drops belongs to no token, and tokens that
// together make one character share its place. Returns nothing if the tokenizer changes the text, such as
// one that makes lower case.
std::optional<std::vector<TextSpan>> token_spans(const Tokenizer& tokenizer, std::string_view text,
                                                 const std::vector<int32_t>& ids);

}  // namespace galore
