#include "data/batch_source.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"

namespace galore {

void check_sizes(const BatchOptions& options) {
  if (options.rows < 1)
    fail("data", "per_device_train_batch_size: expected at least 1, given {}", options.rows);
  if (options.max_length < 1) fail("data", "max_length: expected at least 1, given {}", options.max_length);
  if (options.pad_id < 0) fail("data", "pad_id: expected at least 0, given {}", options.pad_id);
}

std::optional<Batch> BatchSource::next() {
  const DataPosition before = position();
  try {
    const MakeBatch make = plan();
    return make ? std::optional<Batch>(make()) : std::nullopt;
  } catch (...) {
    seek(before);
    throw;
  }
}

RowBatchSource::RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options)
    : dataset_(std::move(dataset)), options_(options), num_tokens_(dataset_->num_tokens()) {
  check_sizes(options);
  limit_samples();
  choose_split(count_rows());
}

// Documents are limited by their tokens where they are joined.
void RowBatchSource::limit_samples() {
  const int64_t samples = options_.max_samples;
  if (samples <= 0 || !dataset_->has_documents() || !options_.packing) return;
  if (samples < dataset_->num_documents()) {
    const TokenRange last = dataset_->document(samples - 1);
    num_tokens_ = last.begin + last.count;
  }
  options_.max_samples = 0;
}

int64_t RowBatchSource::count_rows() const {
  if (!cut_in_rows()) return dataset_->num_documents();
  const int64_t whole = num_tokens_ / options_.max_length;
  const bool rest = num_tokens_ % options_.max_length != 0;
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
    range.count = std::min(range.count, num_tokens_ - range.begin);
  else
    range = dataset_->document(row);
  const int64_t count = std::min(range.count, options_.max_length);
  dataset_->read(range.begin, count, ids, labels, options_.vocab_size);
  std::fill(ids + count, ids + options_.max_length, options_.pad_id);
  std::fill(labels + count, labels + options_.max_length, kIgnoredLabel);
}

BatchSource::MakeBatch RowBatchSource::plan() {
  int64_t count = options_.rows;
  if (options_.evaluation) {
    count = position_.epoch > 0 ? 0 : std::min(count, num_rows_ - position_.index);
    if (count == 0) return nullptr;
  }
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back(row_at(position_.epoch, position_.index));
    if (++position_.index == num_rows_) position_ = {position_.epoch + 1, 0};
  }
  return [this, rows = std::move(rows)] {
    const auto count = static_cast<int64_t>(rows.size());
    const at::Tensor all_ids = at::empty({count, options_.max_length}, at::kLong);
    const at::Tensor all_labels = at::empty_like(all_ids);
    int64_t* ids = all_ids.mutable_data_ptr<int64_t>();
    int64_t* labels = all_labels.mutable_data_ptr<int64_t>();
    for (const int64_t row : rows) {
      fill(row, ids, labels);
      ids += options_.max_length, labels += options_.max_length;
    }
    return next_token_batch(all_ids, all_labels);
  };
}

void RowBatchSource::seek(const DataPosition& position) {
  if (position.stream != StreamPosition())
    fail("data", "the saved position is one in a stream: expected streaming=true");
  if (position.epoch < 0 || position.index < 0 || position.index >= num_rows_)
    fail("data",
         "the saved position is row {} of epoch {}, {} has {} rows per epoch; the data or max_length changed",
         position.index, position.epoch, dataset_->name(), num_rows_);
  position_ = position;
}

}  // namespace galore
