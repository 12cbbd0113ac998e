// Gives batches of files that are read from start to end in every epoch and never cached. Documents are
// tokenized during training, and rows are shuffled within a buffer.
//
// The number of rows in an epoch is not known before its end. A position is the start of the buffer's window
// (file, byte, token) and the number of its rows that were handed out; seek() reads that window again.
#pragma once

#include <memory>
#include <string>

#include "data/batch_options.h"
#include "data/batch_source.h"
#include "data/row_stream.h"
#include "data/shuffle_buffer.h"

namespace galore {

struct StreamOptions {
  std::vector<std::string> files;  // paths or globs
  TokenizationOptions tokenization;
  BatchOptions batches;         // val_size must be a whole number: the first rows of the stream
  int64_t buffer_size = 16384;  // rows; 1 keeps the order
  int64_t workers = 1;          // threads that tokenize; 0: next() tokenizes
  TokenDtype token_dtype = TokenDtype::automatic;  // of .bin files without a header
};

// Returns the most bytes that the rows of the buffer and the documents on their way to it take, if the rows
// have no labels and the documents are not huge.
int64_t stream_bytes(int64_t buffer_size, int64_t max_length, int64_t workers);

class StreamBatchSource : public RowSource {
 public:
  // `tokenizer` must outlive this object. With null, only rows with input_ids and .bin files are accepted.
  StreamBatchSource(const StreamOptions& options, const Tokenizer* tokenizer, DataMessages messages = {});

  MakeBatch plan() override;
  MakeRow plan_row() override;
  std::vector<ExampleRow> draw(int64_t count, RandomStream& random) const override;
  DataPosition position() const override;
  double epochs() const override { return buffer_ ? buffer_->epochs() : 0; }
  void seek(const DataPosition& position) override;
  DataPosition start_of(int64_t epoch) const override { return {epoch, 0, {.fingerprint = fingerprint_}}; }
  DataFingerprint fingerprint() const override;
  int64_t rows_per_epoch() const override { return 0; }
  void end_after(int64_t rows) override;
  // Returns the number of rows in memory, at most buffer_size.
  int64_t rows_held() const { return buffer_ ? buffer_->held() : 0; }

 private:
  void begin(const RowPlace& place);
  RowStreamOptions row_options() const;

  StreamOptions options_;
  const Tokenizer* tokenizer_;
  DataMessages messages_;
  std::vector<Path> files_;
  FileKinds kinds_;  // names a token file if there is one
  int64_t fingerprint_;
  std::unique_ptr<RowStream> rows_;        // fills buffer_
  std::unique_ptr<ShuffleBuffer> buffer_;  // null until the first batch is planned
};

}  // namespace galore
