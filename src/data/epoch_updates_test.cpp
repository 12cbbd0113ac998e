// Tests that updates end with their epoch, in one process and in several.
#include "data/epoch_updates.h"

#include <gtest/gtest.h>

#include "data/prefetch.h"
#include "data/rank_source.h"
#include "data/row_batch_source.h"

namespace galore {
namespace {

constexpr int64_t kRows = 11, kMicroBatches = 3;
constexpr int64_t kEnd = -1, kLacking = 0;

// Eleven rows in batches of two, three of which are an update: 6 and 5 rows in an epoch.
std::unique_ptr<BatchSource> epochs_of_rows() {
  std::vector<ExampleRow> rows;
  for (int64_t i = 0; i < kRows; ++i) rows.push_back({{i, i}, {i, i}, {}});
  BatchOptions options;
  options.rows = 2;
  options.max_length = 2;
  options.shuffle = false;
  return std::make_unique<EpochUpdates>(std::make_unique<RowBatchSource>(rows, "rows", options),
                                        kMicroBatches);
}

// Returns the number of rows of each of the next `count` micro-batches.
std::vector<int64_t> sizes_of(BatchSource& source, size_t count) {
  std::vector<int64_t> sizes;
  while (sizes.size() < count) {
    const auto batch = source.next();
    sizes.push_back(!batch ? kEnd : batch->empty() ? kLacking : batch->rows());
  }
  return sizes;
}

TEST(EpochUpdates, AnUpdateEndsWithItsEpoch) {
  for (const bool ahead : {false, true}) {
    std::unique_ptr<BatchSource> source = epochs_of_rows();
    if (ahead) source = std::make_unique<PrefetchSource>(std::move(source), 2);
    source->end_after(2 * kRows + 3);
    EXPECT_EQ(sizes_of(*source, 6), (std::vector<int64_t>{2, 2, 2, 2, 2, 1}));
    EXPECT_EQ(source->position(), (DataPosition{1, 0}));
    EXPECT_EQ(sizes_of(*source, 6), (std::vector<int64_t>{2, 2, 2, 2, 2, 1}));
    EXPECT_EQ(sizes_of(*source, 3), (std::vector<int64_t>{2, 1, kEnd}));
    // An update that begins elsewhere, as after another batch size, lacks a micro-batch.
    source->seek({0, 8});
    EXPECT_EQ(sizes_of(*source, 4), (std::vector<int64_t>{2, 1, kLacking, 2}));
  }
}

TEST(EpochUpdates, WithoutAnEndNothingIsCut) {
  const std::unique_ptr<BatchSource> source = epochs_of_rows();
  source->seek({0, 8});
  EXPECT_EQ(sizes_of(*source, 4), (std::vector<int64_t>{2, 2, 2, 2}));
}

// Three micro-batches of an update belong to two processes; the second one has the last two.
TEST(EpochUpdates, ProcessesShareTheMicroBatchesThatAreLeft) {
  for (const bool ahead : {false, true}) {
    const UpdateShare share{kMicroBatches, kMicroBatches, 2, 1};
    ASSERT_EQ(share.first(), 1);
    std::unique_ptr<BatchSource> second = std::make_unique<RankSource>(epochs_of_rows(), share);
    if (ahead) second = std::make_unique<PrefetchSource>(std::move(second), 2);
    second->end_after(3 * kRows);
    second->seek({0, 10});
    EXPECT_EQ(sizes_of(*second, 2), (std::vector<int64_t>{kLacking, kLacking}));
    EXPECT_EQ(second->position(), (DataPosition{1, 0}));
    EXPECT_EQ(sizes_of(*second, 4), (std::vector<int64_t>{2, 2, 2, 1}));
    EXPECT_EQ(second->position(), (DataPosition{2, 0}));
  }
}

}  // namespace
}  // namespace galore
