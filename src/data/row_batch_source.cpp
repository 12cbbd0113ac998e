#include "data/row_batch_source.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "core/fnv1a.h"
#include "core/labels.h"

namespace galore {

RowBatchSource::RowBatchSource(std::shared_ptr<const TokenDataset> dataset, const BatchOptions& options,
                               const DataMessages& messages)
    : dataset_(std::move(dataset)),
      name_(dataset_->name()),
      options_(options),
      num_tokens_(dataset_->num_tokens()) {
  check_sizes(options);
  options_.packing = packing_in_use(options.packing, dataset_->kinds());
  if (dataset_->has_documents()) num_documents_ = dataset_->num_documents();
  limit_samples();
  if (options_.leave_out_untrained) check_labels(messages);
  if (options_.packing == Packing::isolated) pack_examples(messages);
  choose_split(count_rows());
  if (!options_.leave_out_untrained) check_labels(messages);
}

RowBatchSource::RowBatchSource(std::vector<ExampleRow> examples, std::string name,
                               const BatchOptions& options)
    : examples_(std::move(examples)), name_(std::move(name)), options_(options) {
  check_sizes(options);
  options_.packing = Packing::none;
  choose_split(static_cast<int64_t>(examples_.size()));
}

// If documents are joined or packed, max_samples counts documents, not rows.
void RowBatchSource::limit_samples() {
  const int64_t samples = options_.max_samples;
  if (!dataset_->has_documents() || samples <= 0 || options_.packing == Packing::none) return;
  if (samples < num_documents_) {
    num_documents_ = samples;
    const TokenRange last = dataset_->document(samples - 1);
    num_tokens_ = last.begin + last.count;
  }
  options_.max_samples = 0;
}

// Training packs the documents in a random order, because neighbours in a file are often alike. The order is
// the same in every epoch. Both parts of a split need the same rows.
void RowBatchSource::pack_examples(const DataMessages& messages) {
  std::vector<int32_t> lengths = dataset_->document_lengths(number_of(num_documents_ - 1) + 1);
  for (size_t i = 0; i < counted_.size(); ++i) lengths[i] = lengths[static_cast<size_t>(counted_[i])];
  lengths.resize(static_cast<size_t>(num_documents_));
  const auto count_of_cut =
      std::count_if(lengths.begin(), lengths.end(), [this](int32_t n) { return n > options_.max_length; });
  if (count_of_cut > 0 && messages) messages(cut_message(count_of_cut, name_, options_.max_length));
  const bool in_order = options_.evaluation && options_.split == DataSplit::all;
  if (options_.shuffle && !in_order) {
    packing_order_.emplace(lengths.size(), options_.seed, "data packing");
    std::vector<int32_t> ordered(lengths.size());
    for (size_t i = 0; i < lengths.size(); ++i) ordered[i] = lengths[(*packing_order_)(i)];
    lengths.swap(ordered);
  }
  packed_.emplace(lengths, options_.max_length);
}

RowBatchSource::TargetCount RowBatchSource::count_targets(TokenRange document) const {
  ExampleRow row;
  append(row, document);
  return {count_labels(row.labels), std::ssize(row.ids)};
}

void RowBatchSource::check_labels(const DataMessages& messages) {
  if (dataset_->kinds().with_labels.empty() || !dataset_->has_documents()) return;
  const bool told_by_training = options_.split == DataSplit::validation;
  if (told_by_training && !options_.leave_out_untrained) return;
  std::vector<int64_t> counted;
  TargetCount all;
  const bool unpacked_part = options_.leave_out_untrained && options_.max_samples > 0;
  const int64_t count = unpacked_part ? std::min(num_documents_, options_.max_samples) : num_documents_;
  for (int64_t i = 0; i < count; ++i) {
    const TargetCount own = count_targets(dataset_->document(i));
    all.trained += own.trained;
    all.tokens += own.tokens;
    if (own.trained > 0) counted.push_back(i);
  }
  if (counted.empty())
    fail("data",
         "{}: expected labels other than {} among the first max_length={} tokens of a row, given none", name_,
         kIgnoredLabel, options_.max_length);
  if (messages && !told_by_training) tell_of_labels(counted, count, all, messages);
  if (!options_.leave_out_untrained || static_cast<int64_t>(counted.size()) == count) return;
  num_documents_ = static_cast<int64_t>(counted.size());
  counted_ = std::move(counted);
}

void RowBatchSource::tell_of_labels(const std::vector<int64_t>& counted, int64_t count,
                                    const TargetCount& all, const DataMessages& messages) const {
  const auto without = count - static_cast<int64_t>(counted.size());
  int64_t first = 0;
  while (first < static_cast<int64_t>(counted.size()) && counted[static_cast<size_t>(first)] == first)
    ++first;
  if (without > 0)
    messages(
        options_.leave_out_untrained
            ? fmt::format("left out {} of {} rows of {}, which have no label that counts", without, count,
                          name_)
            : fmt::format("note: {} of {} rows of {} have no label that counts within max_length={}; the "
                          "first is row {}",
                          without, count, name_, options_.max_length, first + 1));
  messages(fmt::format("the loss counts {} of {} tokens of {} ({:.1f} %)", all.trained, all.tokens, name_,
                       100 * static_cast<double>(all.trained) / static_cast<double>(all.tokens)));
}

int64_t RowBatchSource::count_rows() const {
  if (options_.packing == Packing::none) return num_documents_;
  if (packed_) return packed_->num_rows();
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
      fail("data", "val_size: {} leaves no rows to train on; {} has {} rows", size, name_, all_rows);
    const auto validation = static_cast<int64_t>(wanted);
    split_order_.emplace(static_cast<uint64_t>(all_rows), options_.seed, "data split");
    first_row_ = options_.split == DataSplit::train ? validation : 0;
    num_rows_ = options_.split == DataSplit::train ? all_rows - validation : validation;
  }
  if (num_rows_ == 0) fail("data", "{} gives no row of {} tokens", name_, options_.max_length);
}

int64_t RowBatchSource::row_at(int64_t epoch, int64_t index) {
  if (options_.shuffle && !options_.evaluation) {
    if (order_epoch_ != epoch) {
      epoch_order_.emplace(static_cast<uint64_t>(num_rows_), options_.seed, "data order",
                           static_cast<uint64_t>(epoch));
      if (options_.group_by_length) group_by_length();
    }
    order_epoch_ = epoch;
    index = grouped_.empty() ? static_cast<int64_t>((*epoch_order_)(static_cast<uint64_t>(index)))
                             : grouped_[static_cast<size_t>(index)];
  }
  return row_of_split(index);
}

int64_t RowBatchSource::row_of_split(int64_t index) const {
  if (!split_order_) return index;
  return static_cast<int64_t>((*split_order_)(static_cast<uint64_t>(first_row_ + index)));
}

int64_t RowBatchSource::take_row() {
  const int64_t row = row_at(position_.epoch, position_.index);
  if (++position_.index == num_rows_) position_ = {position_.epoch + 1, 0};
  return row;
}

int64_t RowBatchSource::length_of(int64_t row) const {
  if (!dataset_) return static_cast<int64_t>(examples_[static_cast<size_t>(row)].ids.size());
  return std::min<int64_t>(document_lengths_[static_cast<size_t>(number_of(row))], options_.max_length);
}

// Packed rows have about the same length.
void RowBatchSource::group_by_length() {
  if (options_.packing != Packing::none) return;
  if (dataset_ && document_lengths_.empty())
    document_lengths_ = dataset_->document_lengths(dataset_->num_documents());
  grouped_.clear();
  for (int64_t i = 0; i < num_rows_; ++i)
    grouped_.push_back(static_cast<int64_t>((*epoch_order_)(static_cast<uint64_t>(i))));
  const int64_t window = kBatchesToSort * options_.rows;
  for (int64_t first = 0; first < num_rows_; first += window) {
    const auto begin = grouped_.begin() + first, end = begin + std::min(window, num_rows_ - first);
    std::stable_sort(begin, end, [this](int64_t a, int64_t b) {
      return length_of(row_of_split(a)) > length_of(row_of_split(b));
    });
  }
}

void RowBatchSource::append(ExampleRow& row, TokenRange range) const {
  const size_t before = row.ids.size(),
               count = static_cast<size_t>(std::min(range.count, options_.max_length));
  row.ids.resize(before + count);
  row.labels.resize(before + count);
  dataset_->read(range.begin, static_cast<int64_t>(count), row.ids.data() + before,
                 row.labels.data() + before, options_.vocab_size);
}

ExampleRow RowBatchSource::read(int64_t place) const {
  if (!dataset_) return examples_[static_cast<size_t>(place)];
  ExampleRow row;
  if (options_.packing == Packing::none) {
    append(row, document(place));
  } else if (!packed_) {
    const int64_t begin = place * options_.max_length;
    append(row, {begin, std::min(options_.max_length, num_tokens_ - begin)});
  } else {
    for (const uint32_t example : packed_->row(place)) {
      const uint64_t number = packing_order_ ? (*packing_order_)(example) : example;
      append(row, document(static_cast<int64_t>(number)));
      row.ends.push_back(static_cast<int64_t>(row.ids.size()));
    }
  }
  return row;
}

int64_t RowBatchSource::rows_of_next_batch() const {
  const int64_t left = num_rows_ - position_.index;
  if (options_.evaluation) return position_.epoch > 0 ? 0 : std::min(options_.rows, left);
  if (!last_row_) return options_.rows;
  return std::min({options_.rows, left, *last_row_ - position_.epoch * num_rows_ - position_.index});
}

BatchSource::MakeBatch RowBatchSource::plan() {
  const int64_t count = rows_of_next_batch();
  if (count <= 0) return nullptr;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(take_row());
  return [this, rows = std::move(rows)] {
    std::vector<ExampleRow> examples;
    for (const int64_t row : rows) examples.push_back(read(row));
    return batch_of(examples, options_);
  };
}

RowSource::MakeRow RowBatchSource::plan_row() {
  if (rows_of_next_batch() <= 0) return nullptr;
  return [this, row = take_row()] { return read(row); };
}

std::vector<ExampleRow> RowBatchSource::draw(int64_t count, RandomStream& random) const {
  std::vector<ExampleRow> rows;
  for (int64_t i = 0; i < count; ++i)
    rows.push_back(read(row_of_split(static_cast<int64_t>(random.below(static_cast<uint64_t>(num_rows_))))));
  return rows;
}

void RowBatchSource::seek(const DataPosition& position) {
  if (position.stream != StreamPosition())
    fail("data", "the saved position is one in a stream: expected streaming=true");
  if (position.epoch < 0 || position.index < 0 || position.index >= num_rows_)
    fail("data",
         "the saved position is row {} of epoch {}, {} has {} rows per epoch; the data or max_length changed",
         position.index, position.epoch, name_, num_rows_);
  position_ = position;
}

namespace {

template <typename Number>
std::string_view raw_bytes(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

int64_t hash_of_rows(const std::vector<ExampleRow>& examples) {
  uint64_t hash = kFnv1aBasis;
  for (const ExampleRow& row : examples) {
    hash = fnv1a(raw_bytes(row.ids), fnv1a(raw_bytes(row.ends), hash));
    hash = fnv1a(raw_bytes(row.places), hash);
    // The numbers of a row without places come from a model, and their last bits from the machine.
    if (!row.places.empty()) hash = fnv1a(raw_bytes(row.values), hash);
    hash = fnv1a(raw_bytes(row.transitions), fnv1a(raw_bytes(row.actions), hash));
    hash = fnv1a(raw_bytes(row.types), hash);
  }
  return positive_hash(hash);
}

}  // namespace

DataFingerprint RowBatchSource::fingerprint() const {
  const BatchOptions& o = options_;
  const std::string settings = fmt::format("{} {} {} {} {} {} {}", o.max_length, packing_name(o.packing),
                                           o.seed, o.shuffle, o.max_samples, o.val_size, num_tokens_) +
                               (o.group_by_length ? " grouped" : "") +
                               (counted_.empty() ? "" : fmt::format(" {} counted", counted_.size()));
  const int64_t content = dataset_ ? dataset_->fingerprint() : hash_of_rows(examples_);
  return {content, positive_hash(fnv1a(settings))};
}

}  // namespace galore
