// Files read from begin to end, one after the other, epoch after epoch: documents with their places.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/documents.h"
#include "data/token_file.h"

namespace galore {

struct CorpusOptions {
  std::vector<Path> files;  // .txt, .jsonl (also compressed), .parquet and .bin
  TextDocuments text_documents = TextDocuments::paragraph;
  BrokenRows broken_rows = BrokenRows::stop;
  int64_t max_documents = 0;  // of an epoch; 0: all
  int64_t part_tokens = 512;  // token files come in parts of so many
  bool once = false;          // one epoch
};

class Corpus {
 public:
  // `begin`: the place of a document, or the beginning.
  Corpus(CorpusOptions options, const DocumentPlace& begin);

  // False at the end of the only epoch. An epoch without documents is an Error.
  bool next(Document& document);
  const Path& path(int64_t file) const { return options_.files[static_cast<size_t>(file)]; }

 private:
  void open(const TextPlace& begin);
  bool end_epoch();
  double share() const;

  CorpusOptions options_;
  DocumentPlace place_;
  std::unique_ptr<DocumentReader> reader_;  // null: of file place_.file, from its beginning
  std::vector<int64_t> bytes_before_;       // on disk, of each file, and of all
};

// Names and sizes of the files: the same number while they are the same ones.
uint64_t corpus_fingerprint(const std::vector<Path>& files);

// A token file as a reader of parts; text.offset counts tokens.
std::unique_ptr<DocumentReader> open_token_parts(const Path& path, int64_t part_tokens,
                                                 const TextPlace& begin);

}  // namespace galore
