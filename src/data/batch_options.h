// How rows and batches are made of examples.
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
// row of the batch. Examples that are rows of their own may share rows within a batch (row_sharing.h).
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch_builder.h"
#include "data/packing.h"

namespace galore {

enum class DataSplit { all, train, validation };

struct BatchOptions {
  int64_t rows = 8;          // of a micro-batch
  int64_t max_length = 512;  // tokens of a row
  Packing packing = Packing::joined;
  bool evaluation = false;  // visits the rows once, in order, with the last incomplete row and batch
  bool shuffle = true;      // shuffles the rows, differently in each epoch; ignored for evaluation
  // Puts shuffled rows of similar length into the same batches, as transformers does: each kBatchesToSort
  // batches of rows are sorted by falling length. Data that are not streamed alone.
  bool group_by_length = false;
  uint64_t seed = 42;  // of the order and the split
  int64_t pad_id = 0;
  int64_t vocab_size = 0;  // ids at or above it are an Error; 0: not checked
  // Leaves out documents of files with labels that have no label that counts within max_length.
  bool leave_out_untrained = false;
  // Limits the data to the first documents, those that are left out included. Rows of .bin files count as
  // documents. 0: all.
  int64_t max_samples = 0;
  // A share (below 1) or a number of rows for DataSplit::validation; the other rows are for `train`. The
  // choice depends only on the seed. Joined rows of a split are full.
  double val_size = 0;
  DataSplit split = DataSplit::all;
  MakeTargets make_targets = {};  // none: next-token prediction
  int64_t length_multiple = 1;    // of padded rows (RowPadding::multiple)
  bool bidirectional = false;     // as RowPadding::bidirectional
  // The examples of a batch share rows (row_sharing.h). It then has fewer rows than `rows`, and its targets
  // another order.
  bool share_rows = false;
};

inline constexpr int64_t kBatchesToSort = 50;

// Throws Error for sizes that no batch can have.
void check_sizes(const BatchOptions& options);
// Returns a batch of these rows, padded as `options` ask.
Batch batch_of(const std::vector<ExampleRow>& rows, const BatchOptions& options);

}  // namespace galore
