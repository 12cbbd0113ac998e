// Checks the ids and labels of files before they are trained on.
#pragma once

#include <string>

#include "core/labels.h"
#include "data/batch_source.h"
#include "data/token_file.h"
#include "data/tokenization.h"

namespace galore {

inline bool is_id(int64_t id, int64_t vocab_size) { return id >= 0 && id < vocab_size; }
inline bool is_label(int64_t label, int64_t vocab_size) {
  return label == kIgnoredLabel || is_id(label, vocab_size);
}
// Return the message for a number that is none.
std::string id_fault(int64_t id, int64_t vocab_size);
std::string label_fault(int64_t label, int64_t vocab_size);

// The user's file, and the settings that made tokens of it.
struct TokenOrigin {
  const Path& path;
  const Tokenizer* tokenizer;  // or null
  const TokenizationOptions& options;
};

struct TokenLimits {
  int64_t vocab_size = 0;  // 0: nothing is checked
  int64_t max_length = 0;  // the labels of a row behind it are cut off; 0: none are
};

// Throws an Error that names the user's file and row if a file has an id outside 0 to vocab_size - 1, a label
// that is neither such an id nor kIgnoredLabel, or labels of which none counts. Rows without a label that
// counts are told to `messages`. The first label of a row never counts, because nothing predicts it.
//
// `file` holds the tokens of the user's file `path`, a cache or a .bin. Files above 2^28 tokens are checked
// at evenly spaced places, because reading them at each start would take minutes. The text of a file is read
// again only to find the row of a fault.
void check_tokens(const TokenFile& file, const TokenOrigin& origin, const TokenLimits& limits,
                  const DataMessages& messages = {});

}  // namespace galore
