// Turns documents into token ids.
#pragma once

#include <functional>
#include <optional>

#include "data/documents.h"
#include "tokenizer/tokenizer.h"

namespace galore {

struct TokenizationOptions {
  TextDocuments text_documents = TextDocuments::paragraph;
  // Adds bos and eos around every text document if the tokenizer's configuration asks for them.
  bool add_special_tokens = true;
  // Appended to every document that does not end with it, for packing. Rows with labels stay unchanged: their
  // file says which tokens are learned, and the separator would be one more.
  std::optional<int64_t> separator;
  BrokenRows broken_rows = BrokenRows::stop;  // rows with ids outside the vocabulary are broken, too
  bool keep_empty_rows = false;               // a row without ids is a document, so that rows stay aligned
  int64_t workers = 0;  // threads that tokenize a file for its cache; 0: as many as compute threads
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
