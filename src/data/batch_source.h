// Micro-batches of token ids and labels, and the position in the data as two integers.
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
#include <memory>
#include <optional>

#include "core/state_visitor.h"
#include "data/permutation.h"
#include "data/token_dataset.h"

namespace galore {

struct Batch {
  at::Tensor ids, labels;  // both [rows, max_length], int64, on the CPU
};

// Of the next row: `index` rows of epoch `epoch` are consumed.
struct DataPosition {
  int64_t epoch = 0, index = 0;

  bool operator==(const DataPosition&) const = default;
  void visit(StateVisitor& visitor) {
    visitor.scalar("data.epoch", epoch);
    visitor.scalar("data.index", index);
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
  int64_t vocab_size = 0;   // ids at or above it are an Error; 0: not checked
  int64_t max_samples = 0;  // use only so many rows (documents); 0: all
  // A share (below 1) or a number of rows that belong to DataSplit::validation, the others to `train`. The
  // choice depends on the seed alone. With packing the rows of the split are whole.
  double val_size = 0;
  DataSplit split = DataSplit::all;
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Nothing at the end of an evaluation. The tensors are new ones every time.
  virtual std::optional<Batch> next() = 0;
  // After the last batch that next() gave.
  virtual DataPosition position() const = 0;
  // The next batch is the one that followed `position` in the run that saved it. A position that these data
  // cannot have is an Error.
  virtual void seek(const DataPosition& position) = 0;
  virtual int64_t rows_per_epoch() const = 0;
};

class RowBatchSource : public BatchSource {
 public:
  RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options);

  std::optional<Batch> next() override;
  DataPosition position() const override { return position_; }
  void seek(const DataPosition& position) override;
  int64_t rows_per_epoch() const override { return num_rows_; }

 private:
  bool cut_in_rows() const { return options_.packing || !dataset_->has_documents(); }
  int64_t count_rows() const;
  void choose_split(int64_t all_rows);
  // The row of the whole data that stands at `index` of the epoch.
  int64_t row_at(int64_t epoch, int64_t index);
  void fill(int64_t row, int64_t* ids, int64_t* labels) const;

  std::shared_ptr<const TokenDataset> dataset_;
  BatchOptions options_;
  int64_t num_rows_ = 0, first_row_ = 0;
  std::optional<Permutation> split_order_, epoch_order_;
  int64_t order_epoch_ = -1;
  DataPosition position_;
};

}  // namespace galore
