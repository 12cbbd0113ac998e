// Turns documents into token ids.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "data/documents.h"
#include "tokenizer/tokenizer.h"

namespace galore {

class ChatEncoder;

// Rows with ids outside the vocabulary are broken rows, too.
struct TokenizationOptions : DocumentFormat {
  // Adds bos and eos around every text document if the tokenizer's configuration asks for them.
  bool add_special_tokens = true;
  // The end of text, appended to every document that does not end with it. Rows with labels stay unchanged:
  // their file says which tokens are learned, and the separator would be one more.
  std::optional<int64_t> separator;
  bool keep_empty_rows = false;  // a row without ids is a document, so that rows stay aligned
  bool separates_ids = true;     // false: rows with input_ids stay unchanged even without labels
  // Encodes instruction data, where chat_rows is set.
  std::shared_ptr<const ChatEncoder> chat = {};
  bool chat_labels = true;  // false: these rows have none
  int64_t workers = 0;      // threads that tokenize a file for its cache; 0: as many as compute threads
};

// Makes the ids of a document. An id outside the tokenizer's vocabulary sets the document's fault. Without a
// tokenizer only rows with input_ids are accepted. Several threads may call it.
void tokenize(Document& document, const Path& path, const Tokenizer* tokenizer,
              const TokenizationOptions& options);

// Calls `receive` with each document's ids (and labels if `document.has_labels`), in order. Documents without
// ids are left out unless keep_empty_rows is set. With BrokenRows::skip broken rows are left out too, and
// counted in the result.
SkippedRows tokenize_documents(DocumentReader& reader, const Path& path, const Tokenizer* tokenizer,
                               const TokenizationOptions& options,
                               const std::function<void(const Document&)>& receive);

}  // namespace galore
