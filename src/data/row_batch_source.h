// Batches of data that can be read at any place: token files and the caches of tokenized text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/permutation.h"
#include "data/batch_options.h"
#include "data/batch_source.h"
#include "data/example_packing.h"
#include "data/token_dataset.h"

namespace galore {

class RowBatchSource : public RowSource {
 public:
  // Throws an Error from packing_in_use() if the files do not fit together. `messages` gets the number of
  // isolated examples that were cut.
  RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options,
                 const DataMessages& messages = {});
  // Gives batches of examples in memory, each of which is a row. `name` names them in messages.
  RowBatchSource(std::vector<ExampleRow> examples, std::string name, const BatchOptions& options);

  MakeBatch plan() override;
  MakeRow plan_row() override;
  std::vector<ExampleRow> draw(int64_t count, RandomStream& random) const override;
  DataPosition position() const override { return position_; }
  double epochs() const override {
    return static_cast<double>(position_.epoch) +
           static_cast<double>(position_.index) / static_cast<double>(num_rows_);
  }
  void seek(const DataPosition& position) override;
  DataPosition start_of(int64_t epoch) const override { return {epoch, 0}; }
  DataFingerprint fingerprint() const override;
  int64_t rows_per_epoch() const override { return num_rows_; }
  void end_after(int64_t rows) override { last_row_ = rows; }

 private:
  void limit_samples();
  void pack_examples(const DataMessages& messages);
  // Throws an Error if none of the documents has a label that counts, and tells how many have none. These are
  // left out if the options ask for it.
  void check_labels(const DataMessages& messages);
  struct TargetCount {
    int64_t trained = 0, tokens = 0;
  };
  TargetCount count_targets(TokenRange document) const;
  // Tells about the labels of the first `count` documents, of which some are counted.
  void tell_of_labels(const std::vector<int64_t>& counted, int64_t count, const TargetCount& all,
                      const DataMessages& messages) const;
  // Returns document `index` of those that are not left out.
  TokenRange document(int64_t index) const { return dataset_->document(number_of(index)); }
  int64_t number_of(int64_t index) const {
    return counted_.empty() ? index : counted_[static_cast<size_t>(index)];
  }
  int64_t count_rows() const;
  int64_t rows_of_next_batch() const;
  void choose_split(int64_t all_rows);
  // Puts rows of similar length into the same batches of the epoch.
  void group_by_length();
  int64_t length_of(int64_t row) const;
  // Returns the number, within all data, of the row at place `index` of the epoch.
  int64_t row_at(int64_t epoch, int64_t index);
  // Returns the number, within all data, of row `index` of this part of the split.
  int64_t row_of_split(int64_t index) const;
  // Returns the number of the next row, and moves the position behind it.
  int64_t take_row();
  ExampleRow read(int64_t place) const;
  void append(ExampleRow& row, TokenRange range) const;

  std::shared_ptr<const TokenDataset> dataset_;  // null: the rows are examples_
  std::vector<ExampleRow> examples_;
  std::string name_;
  BatchOptions options_;  // the packing is the one in use
  int64_t num_tokens_ = 0, num_documents_ = 0, num_rows_ = 0, first_row_ = 0;
  std::vector<int64_t> counted_;              // the documents that are not left out; empty: all
  std::optional<ExamplePacking> packed_;      // with Packing::isolated
  std::optional<Permutation> packing_order_;  // the order of the documents; none: the order of the files
  std::optional<Permutation> split_order_, epoch_order_;
  int64_t order_epoch_ = -1;
  std::vector<int32_t> document_lengths_;  // to group by
  std::vector<int64_t> grouped_;           // the order of the epoch, if rows are grouped by length
  std::optional<int64_t> last_row_;        // of end_after(); none: training goes on without end
  DataPosition position_;
};

}  // namespace galore
