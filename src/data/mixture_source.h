// Batches whose rows come from several sources, each row from a source that is drawn by its weight.
//
// The source of row n of a run depends on the seed, n and the weights alone, and each source hands out its
// rows in its own order. So a position is n with the positions of the sources, and every resume gives the
// same rows. A source that has given its epochs leaves its weight to the others, in proportion to theirs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/batch_options.h"
#include "data/batch_source.h"

namespace galore {

struct MixturePart {
  std::string name;
  std::unique_ptr<RowSource> rows;
  double weight = 1;
  // The source ends after this many epochs, rounded up to whole rows. 0: never. A stream, whose rows are not
  // counted, cannot end.
  double max_epochs = 0;
};

class MixtureSource : public BatchSource {
 public:
  // `options` are those of the batches. At least one part needs a weight above 0.
  MixtureSource(std::vector<MixturePart> parts, const BatchOptions& options);

  MakeBatch plan() override;
  DataPosition position() const override;
  double epochs() const override;
  void seek(const DataPosition& position) override;
  DataPosition start_of(int64_t epoch) const override;
  DataFingerprint fingerprint() const override;
  // An epoch has as many rows as all sources together, wherever they come from. 0 for streams.
  int64_t rows_per_epoch() const override { return num_rows_; }
  void end_after(int64_t rows) override { end_ = rows; }
  std::optional<int64_t> last_row() const override;
  MixtureSource* mixture() override { return this; }

  // Constant properties.
  size_t size() const { return parts_.size(); }
  const std::string& name(size_t source) const { return parts_[source].name; }
  double max_epochs(size_t source) const { return parts_[source].max_epochs; }
  // Returns the number of passes over a source's rows up to `position`; for a stream, without the share of
  // the current pass.
  double epochs_of(size_t source, const DataPosition& position) const;

  // The weights sum to 1. Rows that are planned from now on follow the new weights.
  const std::vector<double>& weights() const { return weights_; }
  void set_weights(std::vector<double> weights);

  // Returns a batch of the next `rows` rows, or of the rows that are left, and leaves the position as it is.
  Batch peek(int64_t rows);
  // Returns a batch of rows that `random` chooses, one of each of these sources. The position stays as it is.
  Batch draw(const std::vector<size_t>& sources, RandomStream& random) const;

 private:
  using MakeRow = RowSource::MakeRow;
  using Rows = std::vector<std::pair<int32_t, MakeRow>>;

  Rows plan_rows(int64_t count);
  // Returns the source of the next row, or nothing if all sources with a weight have ended.
  std::optional<size_t> next_source() const;
  int64_t rows_left(size_t source) const;
  Batch make(const std::vector<ExampleRow>& rows, const std::vector<int32_t>& sources) const;
  Batch make(const Rows& rows) const;

  std::vector<MixturePart> parts_;
  BatchOptions options_;
  std::vector<double> weights_;
  std::vector<int64_t> last_rows_;  // rows that a source gives in all; INT64_MAX: it never ends
  int64_t num_rows_ = 0;            // of an epoch
  int64_t drawn_ = 0;               // rows handed out
  int64_t stream_fingerprint_ = 0;  // 0: no source is a stream
  std::optional<int64_t> end_;
};

}  // namespace galore
