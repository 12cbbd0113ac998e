// From documents to token ids.
#pragma once

#include <functional>
#include <optional>

#include "data/documents.h"
#include "tokenizer/tokenizer.h"

namespace galore {

struct TokenizationOptions {
  TextDocuments text_documents = TextDocuments::paragraph;
  // bos and eos as the tokenizer's configuration asks, around every text document.
  bool add_special_tokens = true;
  // Ends every document that does not end with it already; for packing. Rows that bring labels are left as
  // they are: their file says which tokens are learned, and the separator would be one more.
  std::optional<int64_t> separator;
  BrokenRows broken_rows = BrokenRows::stop;  // rows with ids outside of the vocabulary are broken too
  int64_t workers = 0;  // threads that tokenize a file for its cache; 0: as many as compute
};

// Makes the ids of a document. An id outside of the tokenizer's vocabulary sets the document's fault. Without
// a tokenizer only rows with input_ids are accepted. Safe on several threads.
void tokenize(Document& document, const Path& path, const Tokenizer* tokenizer,
              const TokenizationOptions& options);

// Calls `receive` with each document's ids (and labels if `document.has_labels`), in order. Documents without
// ids are left out. With BrokenRows::skip broken rows are left out too, and counted in the result.
SkippedRows tokenize_documents(DocumentReader& reader, const Path& path, const Tokenizer* tokenizer,
                               const TokenizationOptions& options,
                               const std::function<void(const Document&)>& receive);

}  // namespace galore
