#include "data/batch_options.h"

#include <algorithm>
#include <numeric>

#include "core/errors.h"
#include "data/row_sharing.h"

namespace galore {
namespace {

// Rows that examples share have few lengths (RowPadding::multiple).
constexpr int64_t kSharedMultiple = 16;

}  // namespace

void check_sizes(const BatchOptions& options) {
  if (options.rows < 1)
    fail("data", "per_device_train_batch_size: expected at least 1, given {}", options.rows);
  if (options.max_length < 1) fail("data", "max_length: expected at least 1, given {}", options.max_length);
  if (options.pad_id < 0) fail("data", "pad_id: expected at least 0, given {}", options.pad_id);
}

Batch batch_of(const std::vector<ExampleRow>& rows, const BatchOptions& options) {
  const bool joined = options.packing == Packing::joined && rows.front().ends.empty();
  const bool whole_rows = joined && !options.evaluation;
  // A row needs at least a token and the token that it predicts.
  const int64_t shortest = std::min<int64_t>(2, options.max_length);
  RowPadding padding{options.pad_id, whole_rows ? options.max_length : shortest, options.length_multiple,
                     options.max_length, options.bidirectional};
  if (!options.share_rows) return build_batch(rows, padding, options.make_targets);
  const int64_t multiple = std::lcm(padding.multiple, kSharedMultiple);
  const std::vector<ExampleRow> shared = share_rows(rows, options.max_length, multiple);
  if (shared.size() < rows.size()) padding.multiple = multiple;
  return build_batch(shared, padding, options.make_targets);
}

}  // namespace galore
