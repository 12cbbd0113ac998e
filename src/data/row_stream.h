// Rows of tokens in the order of the files. Only the row that is being made is in memory.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/corpus.h"
#include "data/document_pipeline.h"
#include "data/packing.h"
#include "data/tokenization.h"

namespace galore {

// The begin of a row: enough to make this row and all later ones once more.
struct RowPlace {
  DocumentPlace document;
  int64_t token = 0;  // the number of the document's tokens in earlier rows
  int64_t row = 0;    // the number of the epoch's earlier rows

  bool operator==(const RowPlace&) const = default;
};

struct StreamedRow {
  RowPlace place;
  double share = 0;                  // the share of the epoch that was read before it
  std::vector<int32_t> ids, labels;  // at most max_length; labels empty: they equal the ids
  std::vector<int32_t> ends;         // of the row's examples, if they are isolated
};

struct RowStreamOptions {
  CorpusOptions corpus;
  TokenizationOptions tokenization;
  int64_t max_length = 512;
  FileKinds kinds;  // with what is known of the files before they are read
  // A row of isolated examples ends where the next one does not fit.
  Packing packing = Packing::joined;
  bool keep_rest = false;        // the last row of an epoch though it is not full (joined; for evaluation)
  int64_t vocab_size = 0;        // ids at or above it are an Error; 0: not checked
  int64_t first_row = 0;         // rows of an epoch before this one are left out
  int64_t last_row = INT64_MAX;  // this row of an epoch and all behind it are left out
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
  // Reads into document_; false at the end of the corpus.
  bool next_document();
  // Refuses labels in one part of a file, and finds packing_.
  void note_labels();
  bool end_epoch(StreamedRow& row);
  void tell_of_epoch();
  // Moves as many tokens from document_ to row_ as fit.
  void take_tokens();
  void clear_row();
  bool full() const;
  // Hands out row_. False if first_row and last_row leave it out.
  bool give(StreamedRow& row);
  void check(const Document& document) const;

  RowStreamOptions options_;
  Corpus corpus_;
  Messages messages_;
  Document document_;
  size_t taken_ = 0;     // the number of its tokens that were moved to rows
  int64_t first_token_;  // of the first document: those before it were moved already
  int64_t epoch_, rows_;
  StreamedRow row_;
  FileKinds kinds_;
  Packing packing_;                 // in use
  std::optional<bool> has_labels_;  // the rows of file labels_file_
  int64_t labels_file_ = -1;
  SkippedRows skipped_;
  int64_t cut_ = 0;  // isolated examples of the first epoch
  bool ended_ = false;
  DocumentPipeline pipeline_;  // last: its threads use the others
};

}  // namespace galore
