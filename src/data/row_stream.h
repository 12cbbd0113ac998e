// Makes rows of tokens in the order of the files. Only the row that is being made is in memory.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/corpus.h"
#include "data/document_pipeline.h"
#include "data/packing.h"
#include "data/tokenization.h"

namespace galore {

// The start of a row. It suffices to make this row and all later rows again.
struct RowPlace {
  DocumentPlace document;
  int64_t token = 0;  // number of the document's tokens in earlier rows
  int64_t row = 0;    // number of the epoch's earlier rows

  bool operator==(const RowPlace&) const = default;
};

struct StreamedRow {
  RowPlace place;
  double share = 0;                  // share of the epoch before this row
  std::vector<int32_t> ids, labels;  // at most max_length; empty labels equal the ids
  std::vector<int32_t> ends;         // the ends of the row's examples if they are isolated
};

struct RowStreamOptions {
  CorpusOptions corpus;
  TokenizationOptions tokenization;
  int64_t max_length = 512;
  FileKinds kinds;  // holds what is known about the files before they are read
  // A row of isolated examples ends if the next example does not fit.
  Packing packing = Packing::joined;
  bool keep_rest = false;  // keeps the last row of an epoch even if it is not full (joined; for evaluation)
  int64_t vocab_size = 0;  // ids at or above it are an Error; 0: not checked
  bool leave_out_untrained = false;  // as BatchOptions::leave_out_untrained
  int64_t first_row = 0;             // rows of an epoch before this row are left out
  int64_t last_row = INT64_MAX;      // this row of an epoch and all later rows are left out
  int64_t workers = 1;               // threads that tokenize ahead; 0: none
};

class RowStream {
 public:
  using Messages = std::function<void(const std::string&)>;

  // With a null `tokenizer` only token files and rows with input_ids are accepted.
  RowStream(RowStreamOptions options, const Tokenizer* tokenizer, const RowPlace& begin,
            Messages messages = {});

  // Reads the next row; returns false at the end, if the corpus has one.
  bool next(StreamedRow& row);

 private:
  // Reads into document_. Returns false at the end of the corpus.
  bool next_document();
  // Returns true if options_ leave document_ out.
  bool is_left_out() const;
  // Refuses labels in only one part of a file, and sets packing_.
  void note_labels();
  bool end_epoch(StreamedRow& row);
  void tell_of_epoch();
  // Moves as many tokens from document_ to row_ as fit.
  void take_tokens();
  void clear_row();
  bool full() const;
  // Hands out row_. Returns false if first_row and last_row leave it out.
  bool give(StreamedRow& row);
  void check(const Document& document) const;

  RowStreamOptions options_;
  Corpus corpus_;
  Messages messages_;
  Document document_;
  size_t taken_ = 0;     // number of its tokens that are already in rows
  int64_t first_token_;  // the first document's first token that is not yet in a row
  int64_t epoch_, rows_;
  StreamedRow row_;
  FileKinds kinds_;
  Packing packing_;                 // the packing in use
  std::optional<bool> has_labels_;  // true if rows of file labels_file_ have labels
  int64_t labels_file_ = -1;
  SkippedRows skipped_;
  // numbers of cut isolated examples and of documents left out in the first epoch
  int64_t cut_ = 0, left_out_ = 0;
  bool ended_ = false;
  DocumentPipeline pipeline_;  // declared last, because its threads use the other members
};

}  // namespace galore
