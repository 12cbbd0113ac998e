// Micro-batches of token ids and labels, and the position in the data as a few integers.
//
// packing = true: the documents, each ended by the separator (eos), are one long sequence, cut into rows of
//   max_length. Training leaves out the last incomplete row of an epoch (unless it is the only one);
//   evaluation pads it.
// packing = false: the protocol of the GaLore paper's code: one document per row, cut to max_length, padded.
//   Files without document boundaries (.bin) are cut into rows as with packing.
//
// Labels equal the ids (the model shifts), and are -100 at padding. Training goes on without end: every batch
// is full, and a batch may hold the last rows of one epoch and the first of the next. Evaluation goes once
// through the rows in their order; the last batch may have fewer rows; every token stands in exactly one row.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/batch.h"
#include "data/permutation.h"
#include "data/token_dataset.h"

namespace galore {

// Where the window of a stream's buffer begins (stream_source.h), and how many of its rows are gone. All 0
// for data that can be read anywhere.
struct StreamPosition {
  int64_t fingerprint = 0;  // of the files and the settings
  int64_t file = 0, document = 0;
  int64_t offset = 0, line = 0, inside_line = 0;
  int64_t token = 0, gone = 0;

  bool operator==(const StreamPosition&) const = default;
};

// Of the next row: `index` rows of epoch `epoch` are consumed.
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
  bool packing = true;
  bool evaluation = false;  // once, in order, with the last partial row and batch
  bool shuffle = true;      // of the rows, anew each epoch; never for evaluation
  uint64_t seed = 42;       // of the order and the split
  int64_t pad_id = 0;
  int64_t vocab_size = 0;  // ids at or above it are an Error; 0: not checked
  // Use only so many documents, the first ones; of .bin files, which have none, so many rows. 0: all.
  int64_t max_samples = 0;
  // A share (below 1) or a number of rows that belong to DataSplit::validation, the others to `train`. The
  // choice depends on the seed alone. With packing the rows of the split are whole.
  double val_size = 0;
  DataSplit split = DataSplit::all;
};

// An Error for sizes that no batch can have.
void check_sizes(const BatchOptions& options);

class BatchSource {
 public:
  using MakeBatch = std::function<Batch()>;

  virtual ~BatchSource() = default;
  // What makes the next batch: to be asked for in order, and called on any thread, while others are. Null at
  // the end of an evaluation. The tensors are new ones every time.
  virtual MakeBatch plan() = 0;
  // The batch itself. At an Error the position stays.
  virtual std::optional<Batch> next();
  // After the last batch that was planned, or that next() gave.
  virtual DataPosition position() const = 0;
  // Of position(): epochs, with the share of the one at hand.
  virtual double epochs() const = 0;
  // The next batch is the one that followed `position` in the run that saved it. A position that these data
  // cannot have is an Error.
  virtual void seek(const DataPosition& position) = 0;
  // 0: not known.
  virtual int64_t rows_per_epoch() const = 0;
};

class RowBatchSource : public BatchSource {
 public:
  RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options);

  MakeBatch plan() override;
  DataPosition position() const override { return position_; }
  double epochs() const override {
    return static_cast<double>(position_.epoch) +
           static_cast<double>(position_.index) / static_cast<double>(num_rows_);
  }
  void seek(const DataPosition& position) override;
  int64_t rows_per_epoch() const override { return num_rows_; }

 private:
  bool cut_in_rows() const { return options_.packing || !dataset_->has_documents(); }
  void limit_samples();
  int64_t count_rows() const;
  void choose_split(int64_t all_rows);
  // The row of the whole data that stands at `index` of the epoch.
  int64_t row_at(int64_t epoch, int64_t index);
  void fill(int64_t row, int64_t* ids, int64_t* labels) const;

  std::shared_ptr<const TokenDataset> dataset_;
  BatchOptions options_;
  int64_t num_tokens_, num_rows_ = 0, first_row_ = 0;
  std::optional<Permutation> split_order_, epoch_order_;
  int64_t order_epoch_ = -1;
  DataPosition position_;
};

}  // namespace galore
