// Batches of files that are read through, never kept: in order, shuffled within a buffer, tokenized
// meanwhile.
//
// An epoch's number of rows is not known before its end. The position is where the window of the buffer
// begins (file, byte, token) and how many of its rows are handed out: seek() reads that window again.
#pragma once

#include <memory>
#include <string>

#include "data/batch_source.h"
#include "data/row_stream.h"
#include "data/shuffle_buffer.h"

namespace galore {

struct StreamOptions {
  std::vector<std::string> files;  // paths or globs
  TokenizationOptions tokenization;
  BatchOptions batches;         // val_size must be a whole number: the first rows of the stream
  int64_t buffer_size = 16384;  // rows; 1 keeps the order
  int64_t workers = 1;          // threads that tokenize; 0: none, next() does
};

// What the rows of the buffer and the documents on their way to it take at most, if they have no labels and
// the documents are not huge.
int64_t stream_bytes(int64_t buffer_size, int64_t max_length, int64_t workers);

class StreamBatchSource : public BatchSource {
 public:
  // `tokenizer` must outlive it; null: only rows with input_ids and .bin files are accepted.
  StreamBatchSource(const StreamOptions& options, const Tokenizer* tokenizer, DataMessages messages = {});

  MakeBatch plan() override;
  DataPosition position() const override;
  double epochs() const override { return buffer_ ? buffer_->epochs() : 0; }
  void seek(const DataPosition& position) override;
  int64_t rows_per_epoch() const override { return 0; }
  // In memory, at most buffer_size.
  int64_t rows_held() const { return buffer_ ? buffer_->held() : 0; }

 private:
  void begin(const RowPlace& place);
  RowStreamOptions row_options() const;
  Batch batch_of(std::vector<StreamedRow>& rows) const;

  StreamOptions options_;
  const Tokenizer* tokenizer_;
  DataMessages messages_;
  std::vector<Path> files_;
  int64_t fingerprint_;
  std::unique_ptr<RowStream> rows_;        // of buffer_
  std::unique_ptr<ShuffleBuffer> buffer_;  // null: nothing was asked for yet
};

}  // namespace galore
