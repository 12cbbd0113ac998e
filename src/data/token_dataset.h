// All tokens of one or several data files, as one long sequence with document boundaries.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/packing.h"
#include "data/token_cache.h"
#include "data/token_check.h"
#include "data/token_file.h"

namespace galore {

struct DatasetOptions {
  std::vector<std::string> files;  // paths or globs: .txt, .jsonl, .parquet (cached) and .bin (read directly)
  Path cache_folder;               // empty: default_cache_folder()
  TokenizationOptions tokenization;
  TokenDtype token_dtype = TokenDtype::automatic;  // of .bin files without a header
  TokenLimits limits = {};                         // what lies outside is an Error that names file and row
};

class TokenDataset {
 public:
  // `tokenizer` may be null when no file holds text. Having no file or no token is an Error.
  TokenDataset(const DatasetOptions& options, const Tokenizer* tokenizer, const DataMessages& messages = {});

  int64_t num_tokens() const { return first_token_.back(); }
  // False when any file has no document boundaries (.bin).
  bool has_documents() const { return has_documents_; }
  int64_t num_documents() const { return first_document_.back(); }
  // Returns the start (within the whole sequence) and the number of a document's tokens.
  TokenRange document(int64_t index) const;
  // Returns the number of tokens of each of the first `count` documents.
  std::vector<int32_t> document_lengths(int64_t count) const;
  const FileKinds& kinds() const { return kinds_; }
  // Reads `count` ids and labels from token `begin` on. An id or label at or above `vocab_size` is an Error,
  // unless vocab_size is 0.
  void read(int64_t begin, int64_t count, int64_t* ids, int64_t* labels, int64_t vocab_size = 0) const;
  // Returns a hash of the ids, the labels and the documents' boundaries, whatever the files' names and dates.
  // If there are more than 64 million tokens, it covers 256 samples and the sizes.
  int64_t fingerprint() const;
  // Returns a name for messages: the first file and the number of other files.
  std::string name() const;

 private:
  std::vector<std::unique_ptr<TokenFile>> files_;
  // the first number of each file, and the end
  std::vector<int64_t> first_token_ = {0}, first_document_ = {0};
  std::string first_name_;
  FileKinds kinds_;
  bool has_documents_ = true;
};

}  // namespace galore
