#include "data/mixture_source.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "core/errors.h"
#include "core/fnv1a.h"

namespace galore {

MixtureSource::MixtureSource(std::vector<MixturePart> parts, const BatchOptions& options)
    : parts_(std::move(parts)), options_(options) {
  check_sizes(options);
  std::vector<double> weights;
  bool counted = true;
  std::string streams;
  for (const MixturePart& part : parts_) {
    const int64_t rows = part.rows->rows_per_epoch();
    if (rows == 0 && part.max_epochs > 0)
      fail("mixture", "{}: expected max_epochs=0 with streaming=true: the rows of a stream are not counted",
           part.name);
    const double last = std::ceil(part.max_epochs * static_cast<double>(rows));
    last_rows_.push_back(part.max_epochs > 0 ? static_cast<int64_t>(last) : INT64_MAX);
    weights.push_back(part.weight);
    counted = counted && rows > 0;
    num_rows_ += rows;
    if (const int64_t stream = part.rows->start_of(0).stream.fingerprint)
      streams += fmt::format("{} ", stream);
  }
  if (!counted) num_rows_ = 0;
  if (!streams.empty()) stream_fingerprint_ = positive_hash(fnv1a(streams));
  set_weights(std::move(weights));
}

void MixtureSource::set_weights(std::vector<double> weights) {
  GALORE_ASSERT(weights.size() == parts_.size());
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(sum > 0 && std::isfinite(sum)))
    fail("mixture", "expected finite weights with a sum above 0, given a sum of {}", sum);
  for (double& weight : weights) weight /= sum;
  weights_ = std::move(weights);
}

int64_t MixtureSource::rows_left(size_t source) const {
  if (last_rows_[source] == INT64_MAX) return INT64_MAX;
  const DataPosition position = parts_[source].rows->position();
  return last_rows_[source] - position.epoch * parts_[source].rows->rows_per_epoch() - position.index;
}

std::optional<size_t> MixtureSource::next_source() const {
  std::vector<double> live = weights_;
  for (size_t k = 0; k < live.size(); ++k)
    if (rows_left(k) <= 0) live[k] = 0;
  const double sum = std::accumulate(live.begin(), live.end(), 0.0);
  if (!(sum > 0)) return std::nullopt;
  double left = sum * RandomStream(options_.seed, "mixture", "", static_cast<uint64_t>(drawn_)).uniform();
  size_t chosen = 0;
  for (size_t k = 0; k < live.size(); ++k) {
    if (!(live[k] > 0)) continue;
    chosen = k;  // rounding may leave a little for the last source
    if (left < live[k]) break;
    left -= live[k];
  }
  return chosen;
}

MixtureSource::Rows MixtureSource::plan_rows(int64_t count) {
  if (end_) count = std::min(count, *end_ - drawn_);
  Rows rows;
  while (std::ssize(rows) < count) {
    const auto source = next_source();
    if (!source) break;
    MakeRow row = parts_[*source].rows->plan_row();
    if (!row) break;
    rows.emplace_back(static_cast<int32_t>(*source), std::move(row));
    ++drawn_;
  }
  return rows;
}

BatchSource::MakeBatch MixtureSource::plan() {
  int64_t count = options_.rows;
  if (end_) count = std::min(count, num_rows_ - drawn_ % num_rows_);
  Rows rows = plan_rows(count);
  if (rows.empty()) return nullptr;
  return [this, rows = std::move(rows)] { return make(rows); };
}

Batch MixtureSource::make(const std::vector<ExampleRow>& rows, const std::vector<int32_t>& sources) const {
  Batch batch = batch_of(rows, options_);
  batch.source = at::tensor(sources, at::kInt);
  return batch;
}

Batch MixtureSource::make(const Rows& rows) const {
  std::vector<ExampleRow> examples;
  std::vector<int32_t> sources;
  for (const auto& [source, make_row] : rows) {
    sources.push_back(source);
    examples.push_back(make_row());
  }
  return make(examples, sources);
}

Batch MixtureSource::peek(int64_t rows) {
  const DataPosition before = position();
  const Rows planned = plan_rows(rows);
  seek(before);
  if (planned.empty()) fail("mixture", "expected a row after the last one, given the end of all sources");
  return make(planned);
}

Batch MixtureSource::draw(const std::vector<size_t>& sources, RandomStream& random) const {
  std::vector<ExampleRow> rows;
  std::vector<int32_t> numbers;
  for (const size_t source : sources) {
    for (ExampleRow& row : parts_[source].rows->draw(1, random)) rows.push_back(std::move(row));
    numbers.push_back(static_cast<int32_t>(source));
  }
  return make(rows, numbers);
}

DataPosition MixtureSource::position() const {
  DataPosition position;
  if (num_rows_ > 0) position.epoch = drawn_ / num_rows_;
  position.index = num_rows_ > 0 ? drawn_ % num_rows_ : drawn_;
  position.stream.fingerprint = stream_fingerprint_;
  for (const MixturePart& part : parts_) position.sources.push_back(part.rows->position());
  return position;
}

// The epochs of streams are those of the source that is least far.
double MixtureSource::epochs() const {
  if (num_rows_ > 0) return static_cast<double>(drawn_) / static_cast<double>(num_rows_);
  double least = parts_.front().rows->epochs();
  for (const MixturePart& part : parts_) least = std::min(least, part.rows->epochs());
  return least;
}

double MixtureSource::epochs_of(size_t source, const DataPosition& position) const {
  const DataPosition& own = position.sources.at(source);
  const int64_t rows = parts_[source].rows->rows_per_epoch();
  const double share = rows > 0 ? static_cast<double>(own.index) / static_cast<double>(rows) : 0;
  return static_cast<double>(own.epoch) + share;
}

void MixtureSource::seek(const DataPosition& position) {
  const bool is_start = position == DataPosition();
  if (!is_start && position.sources.size() != parts_.size())
    fail("data", "the saved position has {} sources: expected the {} sources of the mixture",
         position.sources.size(), parts_.size());
  for (size_t k = 0; k < parts_.size(); ++k)
    parts_[k].rows->seek(is_start ? DataPosition() : position.sources[k]);
  drawn_ = position.epoch * num_rows_ + position.index;
}

DataPosition MixtureSource::start_of(int64_t epoch) const {
  DataPosition position{epoch, 0, {.fingerprint = stream_fingerprint_}};
  for (const MixturePart& part : parts_) position.sources.push_back(part.rows->start_of(epoch));
  return position;
}

DataFingerprint MixtureSource::fingerprint() const {
  std::string tokens, rows;
  for (const MixturePart& part : parts_) {
    const DataFingerprint own = part.rows->fingerprint();
    tokens += fmt::format("{} {} ", part.name, own.tokens);
    rows += fmt::format("{} ", own.rows);
  }
  return {positive_hash(fnv1a(tokens)), positive_hash(fnv1a(rows))};
}

std::optional<int64_t> MixtureSource::last_row() const {
  int64_t sum = 0;
  for (size_t k = 0; k < parts_.size(); ++k) {
    if (!(weights_[k] > 0)) continue;
    if (last_rows_[k] == INT64_MAX) return std::nullopt;
    sum += last_rows_[k];
  }
  return sum;
}

}  // namespace galore
