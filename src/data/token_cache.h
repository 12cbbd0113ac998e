// A text or jsonl file is tokenized once, into a cache on disk (token_file.h).
//
// The cache's name holds the fingerprints of the data file and the tokenizer and the settings that change the
// tokens, so a changed file gets another cache. It is written streamed, in bounded memory, on all threads,
// and each of its files appears whole or not at all; the token file, written last, ends with a checksummed
// footer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/documents.h"
#include "data/token_file.h"
#include "tokenizer/tokenizer.h"

namespace galore {

struct TokenizationOptions {
  TextDocuments text_documents = TextDocuments::paragraph;
  // bos and eos as the tokenizer's configuration asks, around every text document.
  bool add_special_tokens = true;
  // Ends every document that does not end with it already; for packing.
  std::optional<int64_t> separator;
  BrokenRows broken_rows = BrokenRows::stop;  // rows whose ids the vocabulary does not have among them
};

// What the user should know: that tokenization began and ended.
using DataMessages = std::function<void(const std::string&)>;

// Null `tokenizer`: only rows with input_ids are accepted.
std::unique_ptr<TokenFile> open_or_build_cache(const Path& data, const Tokenizer* tokenizer,
                                               const TokenizationOptions& options, const Path& folder,
                                               const DataMessages& messages = {});

// Content up to 256 MiB; above that size, time of change and 256 samples, because reading a file larger than
// memory at each start would cost minutes.
std::string data_fingerprint(const Path& path);
// $XDG_CACHE_HOME/galore, $HOME/.cache/galore, or .cache/galore here.
Path default_cache_folder();

// Calls `receive` with each document's ids (and labels when `document.has_labels`), in order. Documents are
// tokenized in parallel, a block at a time.
void tokenize_documents(DocumentReader& reader, const Path& path, const Tokenizer* tokenizer,
                        const TokenizationOptions& options,
                        const std::function<void(const Document&)>& receive);

}  // namespace galore
