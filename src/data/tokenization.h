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
  // Ends every document that does not end with it already; for packing.
  std::optional<int64_t> separator;
  BrokenRows broken_rows = BrokenRows::stop;  // rows whose ids the vocabulary does not have among them
  int64_t workers = 0;  // threads that tokenize a file for its cache; 0: as many as compute
};

// Makes the ids of a document (and completes its labels); ids that the tokenizer's vocabulary does not have
// are its fault. Null `tokenizer`: only rows with input_ids are accepted. Safe on several threads.
void tokenize(Document& document, const Path& path, const Tokenizer* tokenizer,
              const TokenizationOptions& options);

// Calls `receive` with each document's ids (and labels when `document.has_labels`), in order; documents
// without ids are left out, as are, if the options say so, broken ones, which are returned.
SkippedRows tokenize_documents(DocumentReader& reader, const Path& path, const Tokenizer* tokenizer,
                               const TokenizationOptions& options,
                               const std::function<void(const Document&)>& receive);

}  // namespace galore
