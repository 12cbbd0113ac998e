// Reads files from beginning to end, one after the other, epoch after epoch, as documents with their places.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/documents.h"
#include "data/token_file.h"

namespace galore {

struct CorpusOptions {
  std::vector<Path> files;  // .txt, .jsonl (also compressed), .parquet and .bin
  DocumentFormat format;
  TokenDtype token_dtype = TokenDtype::automatic;
  int64_t max_documents = 0;  // per epoch; 0: all
  int64_t part_tokens = 512;  // token files come in parts of this many tokens
  bool once = false;          // stop after one epoch
};

class Corpus {
 public:
  // Starts at `begin`, the place of a document; {} is the start of the first file.
  Corpus(CorpusOptions options, const DocumentPlace& begin);

  // Returns false at the end, which only a corpus with `once` has. An epoch without documents is an Error.
  bool next(Document& document);
  const Path& path(int64_t file) const { return options_.files[static_cast<size_t>(file)]; }

 private:
  void open(const TextPlace& begin);
  bool end_epoch();
  double share() const;

  CorpusOptions options_;
  DocumentPlace place_;
  std::unique_ptr<DocumentReader> reader_;  // reads file place_.file
  std::vector<int64_t> bytes_before_;       // bytes on disk before each file, and of all files
};

// A hash of the files' names, sizes and samples of their bytes, whatever their dates.
uint64_t corpus_fingerprint(const std::vector<Path>& files);

// Reads a token file in parts of `part_tokens`. The offset of `begin` counts tokens.
std::unique_ptr<DocumentReader> open_token_parts(std::unique_ptr<TokenFile> file, int64_t part_tokens,
                                                 const TextPlace& begin);

}  // namespace galore
