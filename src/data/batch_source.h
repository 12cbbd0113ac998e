// Micro-batches of token ids and targets, and the position in the data as a few integers.
//
// Training goes on without end unless end_after() sets one. Without it every batch is full, and a batch may
// hold the last rows of one epoch and the first rows of the next. Evaluation goes once through the rows in
// their order. Its last batch may have fewer rows, and each token stands in exactly one row.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/random.h"
#include "data/batch_builder.h"

namespace galore {

// Receives lines for the user, such as the start and the end of a tokenization.
using DataMessages = std::function<void(const std::string&)>;

// The start of the window of a stream's buffer (stream_source.h), and the number of rows of the window that
// were handed out. All numbers are 0 for data that are not streamed.
struct StreamPosition {
  int64_t fingerprint = 0;  // hash of the files and settings that decide the rows
  int64_t file = 0, document = 0;
  int64_t offset = 0, line = 0, inside_line = 0;
  int64_t token = 0, gone = 0;

  bool operator==(const StreamPosition&) const = default;
};

// The place of the next row: `index` rows of epoch `epoch` were handed out.
struct DataPosition {
  int64_t epoch = 0, index = 0;
  StreamPosition stream = {};
  std::vector<DataPosition> sources = {};  // the places in the sources of a mixture

  bool operator==(const DataPosition&) const = default;
  // Calls visit(name, number) for all numbers except those of `sources`.
  template <typename Position, typename Visit>
  static void visit(Position& position, const Visit& visit) {
    visit("data_epoch", position.epoch);
    visit("data_index", position.index);
    auto& stream = position.stream;
    visit("stream_fingerprint", stream.fingerprint);
    visit("stream_file", stream.file);
    visit("stream_document", stream.document);
    visit("stream_offset", stream.offset);
    visit("stream_line", stream.line);
    visit("stream_inside_line", stream.inside_line);
    visit("stream_token", stream.token);
    visit("stream_gone", stream.gone);
  }
};

// Tells whether a saved position means the same place in other data. 0: not known.
struct DataFingerprint {
  int64_t tokens = 0;  // hash of the ids and labels; for a stream, of the tokenizer
  int64_t rows = 0;    // hash of the settings that cut the tokens into rows and order them

  bool operator==(const DataFingerprint&) const = default;
};

// Returns a number for a counter of a checkpoint: positive, because 0 stands for "not known".
inline int64_t positive_hash(uint64_t hash) { return static_cast<int64_t>(hash >> 1) | 1; }

class MixtureSource;

class BatchSource {
 public:
  using MakeBatch = std::function<Batch()>;

  virtual ~BatchSource() = default;
  // Reserves the next batch and returns a function that builds it in new tensors, or null at the end of the
  // data. Call plan() from one thread at a time; the returned functions may run concurrently.
  virtual MakeBatch plan() = 0;
  // Builds the next batch; returns nothing at the end of the data. An Error leaves the position
  // unchanged.
  virtual std::optional<Batch> next();
  // Returns the place after the last batch of plan() or next().
  virtual DataPosition position() const = 0;
  // Returns the number of epochs up to position(). Its fraction is the share of the current epoch.
  virtual double epochs() const = 0;
  // Continues with the batch that followed `position` in the run that saved it. A position that cannot belong
  // to these data is an Error.
  virtual void seek(const DataPosition& position) = 0;
  // Returns the place of the first row of an epoch, for seek().
  virtual DataPosition start_of(int64_t epoch) const = 0;
  virtual DataFingerprint fingerprint() const = 0;
  // Returns 0 if the number is not known.
  virtual int64_t rows_per_epoch() const = 0;
  // Ends training after this number of rows, counted from the start of epoch 0. A batch then ends with its
  // epoch, so the last one of an epoch may have fewer rows. It needs a known number of rows per epoch.
  virtual void end_after(int64_t rows) = 0;
  // Returns the number of rows, counted from the start of epoch 0, after which the data end by themselves.
  virtual std::optional<int64_t> last_row() const { return std::nullopt; }
  // Returns the mixture that the rows are drawn from, or null. While other threads make batches ahead, only
  // its constant properties may be read.
  virtual MixtureSource* mixture() { return nullptr; }
};

// A source that also hands out single rows.
class RowSource : public BatchSource {
 public:
  using MakeRow = std::function<ExampleRow()>;

  // Reserves the next row and returns a function that builds it, or null at the end of the data.
  virtual MakeRow plan_row() = 0;
  // Returns `count` rows that `random` chooses among all rows, with replacement. The position stays as it is.
  // A stream throws an Error.
  virtual std::vector<ExampleRow> draw(int64_t count, RandomStream& random) const = 0;
};

}  // namespace galore
