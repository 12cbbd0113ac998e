#include "data/row_stream.h"

#include <algorithm>
#include <utility>

#include "core/errors.h"
#include "core/labels.h"
#include "data/token_check.h"

namespace galore {
namespace {

RowStreamOptions completed(RowStreamOptions options) {
  options.corpus.part_tokens = options.max_length;
  options.corpus.format = options.tokenization;
  return options;
}

}  // namespace

RowStream::RowStream(RowStreamOptions options, const Tokenizer* tokenizer, const RowPlace& begin,
                     Messages messages)
    : options_(completed(std::move(options))),
      corpus_(options_.corpus, begin.document),
      messages_(std::move(messages)),
      first_token_(begin.token),
      epoch_(begin.document.epoch),
      rows_(begin.row),
      kinds_(options_.kinds),
      packing_(packing_in_use(options_.packing, kinds_)),
      pipeline_([this](Document& document) { return corpus_.next(document); },
                [this, tokenizer](Document& document) {
                  tokenize(document, corpus_.path(document.place.file), tokenizer, options_.tokenization);
                  check(document);
                },
                options_.workers) {}

void RowStream::check(const Document& document) const {
  if (options_.vocab_size == 0 || !document.fault.empty()) return;
  const auto refuse = [&](const std::string& fault) {
    fail(fmt::format("{}:{}", corpus_.path(document.place.file).string(), document.line), "{}", fault);
  };
  for (const int32_t id : document.ids)
    if (!is_id(id, options_.vocab_size)) refuse(id_fault(id, options_.vocab_size));
  for (const int32_t label : document.labels)
    if (!is_label(label, options_.vocab_size)) refuse(label_fault(label, options_.vocab_size));
}

bool RowStream::is_left_out() const {
  const bool may_be = options_.leave_out_untrained && document_.has_labels && !document_.ids.empty();
  return may_be && count_labels(document_.labels, options_.max_length) == 0;
}

bool RowStream::next_document() {
  do {
    if (!pipeline_.next(document_)) return false;
    if (!document_.fault.empty()) {
      if (options_.tokenization.broken_rows == BrokenRows::stop) throw Error(document_.fault);
      if (document_.place.epoch == 0) skipped_.add(document_.fault);
      document_.ids.clear();
    }
    if (is_left_out()) {
      left_out_ += document_.place.epoch == 0;
      document_.ids.clear();
    }
  } while (document_.ids.empty() && document_.place.epoch == epoch_);
  taken_ = static_cast<size_t>(std::exchange(first_token_, 0));
  if (taken_ > document_.ids.size())
    fail(corpus_.path(document_.place.file).string(), "the file has changed");
  if (!document_.ids.empty() && !document_.is_part) note_labels();
  return true;
}

void RowStream::note_labels() {
  const Path& path = corpus_.path(document_.place.file);
  if (std::exchange(labels_file_, document_.place.file) != document_.place.file) has_labels_ = std::nullopt;
  require_labels_as_before(has_labels_.value_or(document_.has_labels), document_, path);
  if (std::exchange(has_labels_, document_.has_labels)) return;
  std::string& first = document_.has_labels ? kinds_.with_labels : kinds_.without_labels;
  if (first.empty()) first = path.string();
  packing_ = packing_in_use(options_.packing, kinds_);
}

bool RowStream::full() const {
  const auto count = static_cast<int64_t>(row_.ids.size());
  if (count == 0 || count == options_.max_length) return count > 0;
  const bool document_done = taken_ == document_.ids.size();
  return packing_ == Packing::none ? document_done : !document_done;
}

void RowStream::take_tokens() {
  if (taken_ == document_.ids.size()) return;
  const size_t room = static_cast<size_t>(options_.max_length) - row_.ids.size();
  const bool isolated = packing_ == Packing::isolated;
  if (isolated && !row_.ids.empty() && document_.ids.size() > room) return;
  if (row_.ids.empty()) {
    row_.place = {document_.place, static_cast<int64_t>(taken_), rows_};
    row_.share = document_.share;
    if (packing_ != Packing::none) row_.ids.reserve(room);
  }
  const size_t count = std::min(room, document_.ids.size() - taken_);
  const auto append = [&](std::vector<int32_t>& to, const std::vector<int32_t>& from) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(taken_);
    to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(count));
  };
  // A row of isolated examples may hold examples with labels and examples without.
  if (document_.has_labels && row_.labels.empty()) row_.labels = row_.ids;
  if (document_.has_labels || !row_.labels.empty())
    append(row_.labels, document_.has_labels ? document_.labels : document_.ids);
  append(row_.ids, document_.ids);
  if (isolated) row_.ends.push_back(static_cast<int32_t>(row_.ids.size()));
  if (isolated && document_.ids.size() > count && document_.place.epoch == 0) ++cut_;
  // An isolated or unpacked example that does not fit in a row is cut.
  taken_ = packing_ == Packing::joined ? taken_ + count : document_.ids.size();
}

void RowStream::clear_row() { row_.ids.clear(), row_.labels.clear(), row_.ends.clear(); }

bool RowStream::give(StreamedRow& row) {
  const bool wanted = rows_ >= options_.first_row && rows_ < options_.last_row;
  ++rows_;
  std::swap(row, row_);
  clear_row();
  return wanted;
}

// Ends the epoch. Returns true if the remaining tokens made one more row.
bool RowStream::end_epoch(StreamedRow& row) {
  const bool keep = options_.keep_rest || rows_ == 0 || packing_ == Packing::isolated;
  const bool given = keep && !row_.ids.empty() && give(row);
  clear_row();
  if (rows_ == 0 && left_out_ > 0)
    fail("data", "no row of {} has a label that counts within max_length={}", corpus_.path(0).string(),
         options_.max_length);
  if (rows_ == 0) fail("data", "{} gives no row of {} tokens", corpus_.path(0).string(), options_.max_length);
  if (rows_ <= options_.first_row)
    fail("data", "val_size: {} leaves no rows to train on; {} has {} rows", options_.first_row,
         corpus_.path(0).string(), rows_);
  if (epoch_ == 0 && messages_) tell_of_epoch();
  rows_ = 0;
  return given;
}

void RowStream::tell_of_epoch() {
  if (skipped_.count > 0)
    messages_(fmt::format("left out {} broken rows; the first: {}", skipped_.count, skipped_.first));
  if (left_out_ > 0)
    messages_(fmt::format("left out {} rows without a label that counts within max_length={}", left_out_,
                          options_.max_length));
  if (cut_ > 0) messages_(cut_message(cut_, corpus_.path(0).string(), options_.max_length));
}

bool RowStream::next(StreamedRow& row) {
  while (!ended_ && !(options_.corpus.once && rows_ >= options_.last_row)) {
    take_tokens();
    if (full()) {
      if (give(row)) return true;
      continue;
    }
    ended_ = !next_document();
    if (!ended_ && document_.place.epoch == epoch_) continue;
    const bool given = end_epoch(row);
    epoch_ = document_.place.epoch;
    if (given) return true;
  }
  return false;
}

}  // namespace galore
