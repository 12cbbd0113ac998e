// Micro-batches of token ids and targets, and the position in the data as a few integers.
//
// A document of a data file is an example. How examples share rows is the packing:
//   joined: the examples are one long sequence, cut into rows of max_length. Training leaves out the last
//     incomplete row of an epoch, unless it is the only row; evaluation keeps it.
//   isolated: whole examples share a row of at most max_length. Each has positions from 0 and attends to
//     itself alone (batch_builder.h). An example longer than max_length is cut. Every row is kept.
//   none: each example is a row, cut to max_length (the protocol of the GaLore paper's code).
// Rows whose file brings labels are isolated where `joined` is asked for: masked labels mean nothing without
// the example that they belong to. Files without document boundaries (.bin) are always joined.
//
// Rows of joined training have max_length tokens. The rows of all other batches are padded to the longest
// row of the batch.
//
// Training goes on without end: every batch is full, and a batch may hold the last rows of one epoch and the
// first rows of the next. Evaluation goes once through the rows in their order. Its last batch may have fewer
// rows, and each token stands in exactly one row.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/batch_builder.h"
#include "data/example_packing.h"
#include "data/packing.h"
#include "data/permutation.h"
#include "data/token_dataset.h"

namespace galore {

// The begin of the window of a stream's buffer (stream_source.h), and how many of the window's rows were
// handed out. All numbers are 0 for data that are not streamed.
struct StreamPosition {
  int64_t fingerprint = 0;  // of the files and settings that decide which rows there are
  int64_t file = 0, document = 0;
  int64_t offset = 0, line = 0, inside_line = 0;
  int64_t token = 0, gone = 0;

  bool operator==(const StreamPosition&) const = default;
};

// The place of the next row: `index` rows of epoch `epoch` were handed out.
struct DataPosition {
  int64_t epoch = 0, index = 0;
  StreamPosition stream = {};

  bool operator==(const DataPosition&) const = default;
  // Calls visit(name, number) for all numbers.
  template <typename Position, typename Visit>
  static void visit(Position& position, const Visit& visit) {
    visit("data_epoch", position.epoch);
    visit("data_index", position.index);
    auto& stream = position.stream;
    visit("stream_fingerprint", stream.fingerprint);
    visit("stream_file", stream.file);
    visit("stream_document", stream.document);
    visit("stream_offset", stream.offset);
    visit("stream_line", stream.line);
    visit("stream_inside_line", stream.inside_line);
    visit("stream_token", stream.token);
    visit("stream_gone", stream.gone);
  }
};

enum class DataSplit { all, train, validation };

struct BatchOptions {
  int64_t rows = 8;          // of a micro-batch
  int64_t max_length = 512;  // tokens of a row
  Packing packing = Packing::joined;
  bool evaluation = false;  // once, in order, with the last partial row and batch
  bool shuffle = true;      // of the rows, anew each epoch; never for evaluation
  uint64_t seed = 42;       // of the order and the split
  int64_t pad_id = 0;
  int64_t vocab_size = 0;  // ids at or above it are an Error; 0: not checked
  // Uses only the first documents, at most so many. Rows of .bin files count as documents. 0: all.
  int64_t max_samples = 0;
  // A share (below 1) or a number of rows for DataSplit::validation; all others are for `train`. The choice
  // depends on the seed alone. Joined rows of a split are full.
  double val_size = 0;
  DataSplit split = DataSplit::all;
  MakeTargets make_targets = {};  // none: next-token prediction
};

// An Error for sizes that no batch can have.
void check_sizes(const BatchOptions& options);
// The batch of these rows, padded as `options` ask.
Batch batch_of(const std::vector<ExampleRow>& rows, const BatchOptions& options);

class BatchSource {
 public:
  using MakeBatch = std::function<Batch()>;

  virtual ~BatchSource() = default;
  // Reserves the next batch and returns a function that builds it in new tensors. Call plan() from one thread
  // at a time; the returned functions may run concurrently. Null at the end of an evaluation.
  virtual MakeBatch plan() = 0;
  // Builds the next batch; nothing at the end of an evaluation. An Error leaves the position where it was.
  virtual std::optional<Batch> next();
  // The place behind the last batch that plan() or next() returned.
  virtual DataPosition position() const = 0;
  // The number of epochs up to position(); its fraction is the share of the current epoch.
  virtual double epochs() const = 0;
  // Makes the next batch the one that followed `position` in the run that saved it. A position that these
  // data cannot have is an Error.
  virtual void seek(const DataPosition& position) = 0;
  // 0 if the number is not known.
  virtual int64_t rows_per_epoch() const = 0;
};

class RowBatchSource : public BatchSource {
 public:
  // An Error by packing_in_use() where the files do not fit together. `messages` gets the number of isolated
  // examples that were cut.
  RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options,
                 const DataMessages& messages = {});

  MakeBatch plan() override;
  DataPosition position() const override { return position_; }
  double epochs() const override {
    return static_cast<double>(position_.epoch) +
           static_cast<double>(position_.index) / static_cast<double>(num_rows_);
  }
  void seek(const DataPosition& position) override;
  int64_t rows_per_epoch() const override { return num_rows_; }

 private:
  void limit_samples();
  void pack_examples(const DataMessages& messages);
  int64_t count_rows() const;
  void choose_split(int64_t all_rows);
  // The number, within all data, of the row at place `index` of the epoch.
  int64_t row_at(int64_t epoch, int64_t index);
  ExampleRow read(int64_t row) const;
  void append(ExampleRow& row, TokenRange range) const;

  std::shared_ptr<const TokenDataset> dataset_;
  BatchOptions options_;  // the packing is the one in use
  int64_t num_tokens_, num_documents_ = 0, num_rows_ = 0, first_row_ = 0;
  std::optional<ExamplePacking> packed_;      // with Packing::isolated
  std::optional<Permutation> packing_order_;  // of the documents; none: the order of the files
  std::optional<Permutation> split_order_, epoch_order_;
  int64_t order_epoch_ = -1;
  DataPosition position_;
};

}  // namespace galore
