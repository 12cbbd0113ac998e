#include "data/batch_source.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"

namespace galore {

RowBatchSource::RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  if (options.rows < 1)
    fail("data", "per_device_train_batch_size: expected at least 1, given {}", options.rows);
  if (options.max_length < 1) fail("data", "max_length: expected at least 1, given {}", options.max_length);
  if (options.pad_id < 0) fail("data", "pad_id: expected at least 0, given {}", options.pad_id);
  choose_split(count_rows());
}

int64_t RowBatchSource::count_rows() const {
  if (!cut_in_rows()) return dataset_->num_documents();
  const int64_t whole = dataset_->num_tokens() / options_.max_length;
  const bool rest = dataset_->num_tokens() % options_.max_length != 0;
  const bool keep_rest = options_.split == DataSplit::all && (options_.evaluation || whole == 0);
  return whole + (rest && keep_rest ? 1 : 0);
}

void RowBatchSource::choose_split(int64_t all_rows) {
  if (options_.max_samples > 0) all_rows = std::min(all_rows, options_.max_samples);
  num_rows_ = all_rows;
  if (options_.split != DataSplit::all) {
    const double size = options_.val_size;
    if (!(size > 0)) fail("data", "val_size: expected above 0, given {}", size);
    const double wanted = size < 1 ? std::ceil(size * static_cast<double>(all_rows)) : std::floor(size);
    if (wanted >= static_cast<double>(all_rows))
      fail("data", "val_size: {} leaves no rows to train on; {} has {} rows", size, dataset_->name(),
           all_rows);
    const auto validation = static_cast<int64_t>(wanted);
    split_order_.emplace(static_cast<uint64_t>(all_rows), options_.seed, "data split");
    first_row_ = options_.split == DataSplit::train ? validation : 0;
    num_rows_ = options_.split == DataSplit::train ? all_rows - validation : validation;
  }
  if (num_rows_ == 0) fail("data", "{} gives no row of {} tokens", dataset_->name(), options_.max_length);
}

int64_t RowBatchSource::row_at(int64_t epoch, int64_t index) {
  if (options_.shuffle && !options_.evaluation) {
    if (order_epoch_ != epoch)
      epoch_order_.emplace(static_cast<uint64_t>(num_rows_), options_.seed, "data order",
                           static_cast<uint64_t>(epoch));
    order_epoch_ = epoch;
    index = static_cast<int64_t>((*epoch_order_)(static_cast<uint64_t>(index)));
  }
  if (!split_order_) return index;
  return static_cast<int64_t>((*split_order_)(static_cast<uint64_t>(first_row_ + index)));
}

void RowBatchSource::fill(int64_t row, int64_t* ids, int64_t* labels) const {
  TokenRange range{row * options_.max_length, options_.max_length};
  if (cut_in_rows())
    range.count = std::min(range.count, dataset_->num_tokens() - range.begin);
  else
    range = dataset_->document(row);
  const int64_t count = std::min(range.count, options_.max_length);
  dataset_->read(range.begin, count, ids, labels, options_.vocab_size);
  std::fill(ids + count, ids + options_.max_length, options_.pad_id);
  std::fill(labels + count, labels + options_.max_length, kIgnoredLabel);
}

std::optional<Batch> RowBatchSource::next() {
  int64_t rows = options_.rows;
  if (options_.evaluation) {
    rows = position_.epoch > 0 ? 0 : std::min(rows, num_rows_ - position_.index);
    if (rows == 0) return std::nullopt;
  }
  const auto integers = at::TensorOptions().dtype(at::kLong);
  Batch batch{at::empty({rows, options_.max_length}, integers),
              at::empty({rows, options_.max_length}, integers)};
  DataPosition position = position_;
  for (int64_t i = 0; i < rows; ++i) {
    fill(row_at(position.epoch, position.index), batch.ids.data_ptr<int64_t>() + i * options_.max_length,
         batch.labels.data_ptr<int64_t>() + i * options_.max_length);
    if (++position.index == num_rows_) position = {position.epoch + 1, 0};
  }
  position_ = position;
  return batch;
}

void RowBatchSource::seek(const DataPosition& position) {
  if (position.epoch < 0 || position.index < 0 || position.index >= num_rows_)
    fail("data",
         "the saved position is row {} of epoch {}, {} has {} rows per epoch; the data or max_length changed",
         position.index, position.epoch, dataset_->name(), num_rows_);
  position_ = position;
}

}  // namespace galore
