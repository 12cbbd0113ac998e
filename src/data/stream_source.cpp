#include "data/stream_source.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "core/fnv1a.h"

namespace galore {
namespace {

// Covers everything that decides which rows there are and in which order. A position is valid only under an
// equal fingerprint.
int64_t fingerprint_of(const StreamOptions& options, const std::vector<Path>& files) {
  const BatchOptions& b = options.batches;
  const std::string text =
      fmt::format("{:x} {} {} {} {} {} {} {} {} {}", corpus_fingerprint(files), options.buffer_size,
                  b.max_length, packing_name(b.packing), b.seed, b.max_samples, b.val_size,
                  text_documents_name(options.tokenization.text_documents),
                  options.tokenization.separator.value_or(-1), options.tokenization.add_special_tokens) +
      (options.tokenization.encoding == TextEncoding::utf8
           ? ""
           : text_encoding_name(options.tokenization.encoding));
  return positive_hash(fnv1a(text));
}

void check(const StreamOptions& options) {
  const BatchOptions& b = options.batches;
  check_sizes(b);
  if (options.buffer_size < 1)
    fail("data", "buffer_size: expected at least 1, given {}", options.buffer_size);
  if (b.val_size > 0 && b.val_size != std::floor(b.val_size))
    fail("data",
         "val_size: expected a number of rows with streaming=true, given {}: how many there are is not known",
         b.val_size);
  if (b.split != DataSplit::all && b.val_size < 1)
    fail("data", "val_size: expected at least 1, given {}", b.val_size);
}

ExampleRow example_row(const StreamedRow& row) {
  const std::vector<int32_t>& labels = row.labels.empty() ? row.ids : row.labels;
  return {
      {row.ids.begin(), row.ids.end()}, {labels.begin(), labels.end()}, {row.ends.begin(), row.ends.end()}};
}

}  // namespace

int64_t stream_bytes(int64_t buffer_size, int64_t max_length, int64_t workers) {
  // A block of documents takes this many bytes: text, token ids and the tokenizer's working memory.
  constexpr int64_t kBlock = 2 << 20;
  const auto row = static_cast<int64_t>(sizeof(StreamedRow) + 2 * sizeof(size_t));
  return buffer_size * (4 * max_length + row) + (workers + 2) * kBlock;
}

StreamBatchSource::StreamBatchSource(const StreamOptions& options, const Tokenizer* tokenizer,
                                     DataMessages messages)
    : options_(options), tokenizer_(tokenizer), messages_(std::move(messages)) {
  check(options);
  for (const std::string& pattern : options.files)
    for (const Path& path : expand_glob(pattern)) files_.push_back(path);
  if (files_.empty()) fail("data", "expected at least one data file, given none");
  fingerprint_ = fingerprint_of(options, files_);
  const auto tokens =
      std::find_if(files_.begin(), files_.end(), [](const Path& file) { return file.extension() == ".bin"; });
  if (tokens != files_.end()) kinds_.tokens = tokens->string();
  options_.batches.packing = packing_in_use(options.batches.packing, kinds_);
}

RowStreamOptions StreamBatchSource::row_options() const {
  const BatchOptions& batches = options_.batches;
  RowStreamOptions rows;
  rows.corpus.files = files_;
  rows.corpus.token_dtype = options_.token_dtype;
  rows.corpus.max_documents = batches.max_samples;
  rows.corpus.once = batches.evaluation;
  rows.tokenization = options_.tokenization;
  rows.max_length = batches.max_length;
  rows.packing = batches.packing;
  rows.kinds = kinds_;
  rows.keep_rest = batches.evaluation && batches.split == DataSplit::all;
  rows.vocab_size = batches.vocab_size;
  rows.leave_out_untrained = batches.leave_out_untrained;
  rows.workers = options_.workers;
  const auto held_out = static_cast<int64_t>(batches.val_size);
  if (batches.split == DataSplit::train) rows.first_row = held_out;
  if (batches.split == DataSplit::validation) rows.last_row = held_out;
  return rows;
}

void StreamBatchSource::begin(const RowPlace& place) {
  buffer_.reset();
  rows_.reset();
  rows_ = std::make_unique<RowStream>(row_options(), tokenizer_, place, std::exchange(messages_, {}));
  const bool in_order = options_.batches.evaluation || !options_.batches.shuffle;
  buffer_ = std::make_unique<ShuffleBuffer>(in_order ? 1 : options_.buffer_size, options_.batches.seed,
                                            [this](StreamedRow& row) { return rows_->next(row); });
}

BatchSource::MakeBatch StreamBatchSource::plan() {
  if (!buffer_) begin({});
  auto rows = std::make_shared<std::vector<StreamedRow>>();
  for (StreamedRow row; static_cast<int64_t>(rows->size()) < options_.batches.rows;) {
    if (!buffer_->next(row)) break;
    rows->push_back(std::move(row));
    row = {};
  }
  if (rows->empty()) return nullptr;
  return [this, rows] {
    std::vector<ExampleRow> examples;
    for (const StreamedRow& row : *rows) examples.push_back(example_row(row));
    return batch_of(examples, options_.batches);
  };
}

RowSource::MakeRow StreamBatchSource::plan_row() {
  if (!buffer_) begin({});
  auto row = std::make_shared<StreamedRow>();
  if (!buffer_->next(*row)) return nullptr;
  return [row] { return example_row(*row); };
}

std::vector<ExampleRow> StreamBatchSource::draw(int64_t /*count*/, RandomStream& /*random*/) const {
  fail("data", "a stream gives its rows in one order: expected streaming=false for rows drawn at random");
}

DataPosition StreamBatchSource::position() const {
  DataPosition position;
  if (!buffer_ || !buffer_->started()) return position;
  const RowPlace& place = buffer_->window();
  const DocumentPlace& document = place.document;
  position.epoch = document.epoch;
  position.index = place.row + buffer_->gone();
  position.stream = {fingerprint_,         document.file,      document.document,
                     document.text.offset, document.text.line, document.text.inside_line,
                     place.token,          buffer_->gone()};
  return position;
}

void StreamBatchSource::seek(const DataPosition& position) {
  if (position == DataPosition()) {
    buffer_.reset();
    rows_.reset();
    return;
  }
  const StreamPosition& s = position.stream;
  if (s.fingerprint != fingerprint_)
    fail("data",
         "the saved position is not one in these data: expected the same train_file (names and "
         "contents), streaming, buffer_size, max_length, packing, document_mode, data_seed, max_samples and "
         "val_size as in the "
         "checkpoint, or ignore_data_changes=true, which begins the epoch anew");
  if (s.gone < 0 || s.gone > options_.buffer_size || position.index < s.gone || s.offset < 0 || s.token < 0 ||
      position.epoch < 0)
    fail("data", "the saved position is damaged");
  begin({{position.epoch, s.file, s.document, {s.offset, s.line, s.inside_line != 0}},
         s.token,
         position.index - s.gone});
  buffer_->skip(s.gone);
}

void StreamBatchSource::end_after(int64_t /*rows*/) {
  fail("data", "a stream's rows are not counted: expected an end after a number of updates");
}

// The position itself has a fingerprint of the files and settings (StreamPosition).
DataFingerprint StreamBatchSource::fingerprint() const {
  return {tokenizer_ ? positive_hash(fnv1a(tokenizer_->fingerprint())) : 0, 0};
}

}  // namespace galore
