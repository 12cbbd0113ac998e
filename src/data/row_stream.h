// Rows of tokens in the order of the files, never more of them in memory than are being made.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/corpus.h"
#include "data/document_pipeline.h"
#include "data/tokenization.h"

namespace galore {

// Where a row begins: enough to make it and all that follow once more.
struct RowPlace {
  DocumentPlace document;
  int64_t token = 0;  // tokens of that document that stand in rows before
  int64_t row = 0;    // rows of the epoch before it

  bool operator==(const RowPlace&) const = default;
};

struct StreamedRow {
  RowPlace place;
  double share = 0;                  // of the epoch that was read before
  std::vector<int32_t> ids, labels;  // at most max_length; labels empty: they equal the ids
};

struct RowStreamOptions {
  CorpusOptions corpus;
  TokenizationOptions tokenization;
  int64_t max_length = 512;
  bool packing = true;           // else a document a row, cut; .bin files are always cut in rows
  bool keep_rest = false;        // the last row of an epoch though it is not full (packing; for evaluation)
  int64_t vocab_size = 0;        // ids at or above it are an Error; 0: not checked
  int64_t first_row = 0;         // of each epoch: those before it are left out
  int64_t last_row = INT64_MAX;  // not this one and those behind it
  int64_t workers = 1;           // threads that tokenize ahead; 0: none
};

class RowStream {
 public:
  using Messages = std::function<void(const std::string&)>;

  // Null `tokenizer`: only token files and rows with input_ids are accepted.
  RowStream(RowStreamOptions options, const Tokenizer* tokenizer, const RowPlace& begin,
            Messages messages = {});

  // False at the end, if the corpus has one.
  bool next(StreamedRow& row);

 private:
  // Into document_; false at the end of the corpus.
  bool next_document();
  bool end_epoch(StreamedRow& row);
  // Of document_ to row_, as many tokens as it takes.
  void take_tokens();
  bool full() const;
  // True: the row is one of those that are wanted.
  bool give(StreamedRow& row);
  void check(const Document& document) const;

  RowStreamOptions options_;
  Corpus corpus_;
  Messages messages_;
  Document document_;
  size_t taken_ = 0;     // of its tokens
  int64_t first_token_;  // of the first document
  int64_t epoch_, rows_;
  StreamedRow row_;
  std::optional<bool> has_labels_;
  SkippedRows skipped_;
  bool ended_ = false;
  DocumentPipeline pipeline_;  // last: its threads use the others
};

}  // namespace galore
