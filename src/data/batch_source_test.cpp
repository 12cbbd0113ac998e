#include <ATen/ATen.h>

#include <map>
#include <set>

#include "data/prefetch.h"
#include "data/row_batch_source.h"
#include "data/test_batches.h"

namespace galore {
namespace {

class BatchSourceTest : public RowsTest {};

std::vector<int64_t> flat(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return {whole.data_ptr<int64_t>(), whole.data_ptr<int64_t>() + whole.numel()};
}

std::vector<std::vector<int64_t>> take(BatchSource& source, int count) {
  std::vector<std::vector<int64_t>> taken;
  for (int i = 0; i < count; ++i) {
    const auto batch = source.next();
    taken.push_back(batch ? flat(batch->ids) : std::vector<int64_t>());
  }
  return taken;
}

TEST(PermutationTest, IsABijectionForEverySize) {
  for (const uint64_t size : {1, 2, 3, 4, 5, 15, 16, 17, 100, 1000, 4096, 4097}) {
    const Permutation order(size, 7, "test", 3);
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < size; ++i) {
      EXPECT_LT(order(i), size);
      seen.insert(order(i));
    }
    EXPECT_EQ(seen.size(), size);
  }
}

TEST(PermutationTest, DependsOnSeedPurposeAndEpochAndLooksRandom) {
  constexpr uint64_t kSize = 10000;
  const Permutation order(kSize, 1, "a", 0);
  for (const Permutation& other : {Permutation(kSize, 2, "a", 0), Permutation(kSize, 1, "b", 0),
                                   Permutation(kSize, 1, "a", 1), Permutation(1u << 30, 1, "a", 0)}) {
    uint64_t equal = 0;
    for (uint64_t i = 0; i < kSize; ++i) equal += order(i) == other(i);
    EXPECT_LT(equal, 10u);  // two independent permutations agree in 1 place on average
  }
  double sum = 0;  // the correlation of index and value has the standard deviation 1 / sqrt(size) = 0.01
  for (uint64_t i = 0; i < kSize; ++i)
    sum +=
        (static_cast<double>(i) / kSize - 0.5) * (static_cast<double>(order(i)) / kSize - 0.5) * 12 / kSize;
  EXPECT_LT(std::abs(sum), 0.05);
}

TEST_F(BatchSourceTest, PackingAccountsForEveryToken) {
  const auto data = dataset(true);
  auto options = batches(Packing::joined, 4, 32);
  options.evaluation = true;
  RowBatchSource source(data, options);
  std::vector<int64_t> ids, labels;
  while (const auto batch = source.next()) {
    const auto more_ids = flat(batch->ids), more_labels = flat(batch->targets.labels);
    ids.insert(ids.end(), more_ids.begin(), more_ids.end());
    labels.insert(labels.end(), more_labels.begin(), more_labels.end());
  }
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < 1000; ++i) {
    expected.insert(expected.end(), static_cast<size_t>(i % 13 + 1), i);
    expected.push_back(5000);
  }
  ASSERT_EQ(static_cast<int64_t>(expected.size()), data->num_tokens());
  const size_t padding = ids.size() - expected.size();
  EXPECT_EQ(padding, (32 - expected.size() % 32) % 32);
  expected.insert(expected.end(), padding, 9999);
  EXPECT_EQ(ids, expected);
  std::fill(expected.end() - static_cast<int64_t>(padding), expected.end(), kIgnoredLabel);
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(labels[i], i % 32 == 31 ? kIgnoredLabel : expected[i + 1]) << i;
  EXPECT_FALSE(source.next());
}

TEST_F(BatchSourceTest, GroupsRowsByLength) {
  std::vector<ExampleRow> rows;
  RandomStream random(1, "lengths");
  for (int64_t i = 0; i < 1000; ++i) {
    const std::vector<int64_t> ids(1 + random.below(40), i);
    rows.push_back({ids, ids, {}});
  }
  BatchOptions options;
  options.rows = 4;
  const auto padding = [&](bool grouped) {
    options.group_by_length = grouped;
    RowBatchSource source(rows, "rows", options);
    std::multiset<int64_t> seen;
    int64_t positions = 0;
    for (int i = 0; i < 250; ++i) {
      const auto batch = source.next();
      positions += batch->ids.numel();
      for (int64_t row = 0; row < 4; ++row) seen.insert(batch->ids[row][0].item<int64_t>());
    }
    EXPECT_EQ(seen.size(), 1000u);
    EXPECT_EQ(*seen.rbegin(), 999);
    return positions;
  };
  int64_t tokens = 0;
  for (const ExampleRow& row : rows) tokens += static_cast<int64_t>(row.ids.size());
  // 200 rows are sorted at a time, so the rows of a batch differ by about one token.
  EXPECT_LT(padding(true), tokens * 110 / 100);
  EXPECT_GT(padding(false), tokens * 130 / 100);

  // A run that resumes in the middle of an epoch goes on in the same order.
  options.group_by_length = true;
  RowBatchSource whole(rows, "rows", options), resumed(rows, "rows", options);
  take(whole, 300);
  resumed.seek(whole.position());
  EXPECT_EQ(take(whole, 20), take(resumed, 20));
}

TEST_F(BatchSourceTest, KeepsTheOrderOfTheFileInEveryEpoch) {
  std::vector<ExampleRow> rows;
  for (int64_t i = 0; i < 6; ++i) rows.push_back({{i, i}, {i, i}, {}});
  BatchOptions options;
  options.rows = 3;
  options.shuffle = false;
  RowBatchSource source(rows, "rows", options);
  EXPECT_EQ(take(source, 3),
            (std::vector<std::vector<int64_t>>{{0, 0, 1, 1, 2, 2}, {3, 3, 4, 4, 5, 5}, {0, 0, 1, 1, 2, 2}}));
}

TEST_F(BatchSourceTest, TrainingTakesEveryRowOnceAnEpoch) {
  const auto data = dataset(true);
  RowBatchSource source(data, batches(Packing::joined, 1, 32));
  const int64_t rows = source.rows_per_epoch();
  EXPECT_EQ(rows, data->num_tokens() / 32);
  const auto first = take(source, static_cast<int>(rows)), second = take(source, static_cast<int>(rows));
  EXPECT_NE(first, second);
  EXPECT_EQ(std::multiset(first.begin(), first.end()), std::multiset(second.begin(), second.end()));
  EXPECT_EQ(source.position(), (DataPosition{2, 0}));
  auto in_order = batches(Packing::joined, 1, 32);
  in_order.evaluation = true;
  RowBatchSource ordered(data, in_order);
  const auto all = take(ordered, static_cast<int>(rows));
  EXPECT_NE(first, all);
  EXPECT_EQ(std::multiset(first.begin(), first.end()), std::multiset(all.begin(), all.end()));
}

TEST_F(BatchSourceTest, OneDocumentPerRowIsCutAndPadded) {
  auto options = batches(Packing::none, 1000, 8);
  options.evaluation = true;
  RowBatchSource source(dataset(false), options);
  const auto batch = source.next();
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->ids.sizes(), (at::IntArrayRef{1000, 8}));
  for (int64_t i = 0; i < 1000; ++i)
    for (int64_t j = 0; j < 8; ++j) {
      const bool inside = j <= i % 13;
      ASSERT_EQ(batch->ids[i][j].item<int64_t>(), inside ? i : 9999);
      ASSERT_EQ(batch->targets.labels[i][j].item<int64_t>(), j < i % 13 && j < 7 ? i : kIgnoredLabel);
    }
}

// The source resumes from every position, within an epoch and across its end, with and without prefetching.
TEST_F(BatchSourceTest, ResumesExactly) {
  const auto data = dataset(true);
  for (const Packing packing : {Packing::joined, Packing::isolated, Packing::none}) {
    const auto options = batches(packing, 7, 256);
    RowBatchSource source(data, options);
    const int count = static_cast<int>(2 * source.rows_per_epoch() / 7 + 2);
    std::vector<DataPosition> positions;
    std::vector<std::vector<int64_t>> all;
    for (int i = 0; i < count; ++i) {
      positions.push_back(source.position());
      all.push_back(flat(source.next()->ids));
    }
    EXPECT_EQ(positions.back().epoch, 2);
    for (int i = 0; i < count; i += packing == Packing::none ? 13 : 1) {
      RowBatchSource resumed(data, options);
      resumed.seek(positions[static_cast<size_t>(i)]);
      EXPECT_EQ(take(resumed, 3)[0], all[static_cast<size_t>(i)]);
      PrefetchSource ahead(std::make_unique<RowBatchSource>(data, options), i % 4);
      take(ahead, i % 5);
      EXPECT_EQ(ahead.position(), positions[static_cast<size_t>(i % 5)]);
      ahead.seek(positions[static_cast<size_t>(i)]);
      EXPECT_EQ(take(ahead, 1)[0], all[static_cast<size_t>(i)]);
    }
  }
}

TEST_F(BatchSourceTest, SplitsAreDisjointAndComplete) {
  const auto data = dataset(false);
  auto options = batches(Packing::none, 1, 4);
  std::map<int64_t, int> seen;
  options.val_size = 0.1;
  for (const DataSplit split : {DataSplit::train, DataSplit::validation}) {
    options.split = split;
    options.evaluation = split == DataSplit::validation;
    RowBatchSource source(data, options);
    EXPECT_EQ(source.rows_per_epoch(), split == DataSplit::train ? 900 : 100);
    for (int64_t i = 0; i < source.rows_per_epoch(); ++i) ++seen[flat(source.next()->ids)[0]];
  }
  EXPECT_EQ(seen.size(), 1000u);
  options.val_size = 1000;
  EXPECT_THROW(RowBatchSource(data, options), Error);
}

TEST_F(BatchSourceTest, SamplesAreTheFirstDocuments) {
  for (const Packing packing : {Packing::joined, Packing::isolated, Packing::none}) {
    const bool packs = packing != Packing::none;
    auto options = batches(packing, 1, 32);
    options.evaluation = true;
    options.max_samples = 15;
    RowBatchSource source(dataset(packs), options);
    // The documents have 1 to 13, 1 and 2 tokens, and each is followed by a separator.
    EXPECT_EQ(source.rows_per_epoch(), packs ? (91 + 3 + 15 + 31) / 32 : 15);
    int64_t largest = 0;
    while (const auto batch = source.next())
      for (const int64_t id : flat(batch->ids))
        if (id < 5000) largest = std::max(largest, id);
    EXPECT_EQ(largest, 14);
    if (packing == Packing::isolated) continue;
    options.max_samples = 5000;
    EXPECT_EQ(RowBatchSource(dataset(packs), options).rows_per_epoch(), packs ? 250 : 1000);
  }
}

// Rows of joined training have max_length tokens. All other rows are padded to the longest row of their
// batch.
TEST_F(BatchSourceTest, RowsArePaddedToTheLongestOfTheBatch) {
  auto options = batches(Packing::none, 3, 512);
  options.evaluation = true;
  RowBatchSource source(dataset(false), options);
  for (const int64_t length : {3, 6, 9, 12, 13, 5}) EXPECT_EQ(source.next()->length(), length);
  options.evaluation = options.shuffle = false;
  RowBatchSource training(dataset(false), options);
  EXPECT_EQ(training.next()->length(), 3);
  options.rows = 1;
  EXPECT_EQ(RowBatchSource(dataset(false), options).next()->length(), 2) << "a token and its prediction";
  options.max_length = 1;
  EXPECT_EQ(RowBatchSource(dataset(false), options).next()->length(), 1);
  options = batches(Packing::joined, 1, 100000);
  EXPECT_EQ(RowBatchSource(dataset(true), options).next()->length(), 100000);
  options.evaluation = true;
  const auto data = dataset(true);
  EXPECT_EQ(RowBatchSource(data, options).next()->length(), data->num_tokens());
}

// Several threads make the batches, and the batches come out in the order that one thread gives.
TEST_F(BatchSourceTest, TheNumberOfWorkersChangesNothing) {
  const auto data = dataset(true);
  const auto options = batches(Packing::isolated, 5, 64);
  RowBatchSource plain(data, options);
  const auto expected = take(plain, 100);
  for (const int64_t workers : {1, 2, 7}) {
    PrefetchSource ahead(std::make_unique<RowBatchSource>(data, options), workers);
    EXPECT_EQ(take(ahead, 100), expected);
    EXPECT_EQ(ahead.position(), plain.position());
    EXPECT_EQ(ahead.epochs(), plain.epochs());
  }
}

TEST_F(BatchSourceTest, ImpossiblePositionsAndIdsAreErrors) {
  const auto data = dataset(true);
  auto options = batches(Packing::joined, 2, 64);
  RowBatchSource source(data, options);
  EXPECT_THROW(source.seek({0, source.rows_per_epoch()}), Error);
  EXPECT_THROW(source.seek({-1, 0}), Error);
  EXPECT_THROW(source.seek({0, 1, {1}}), Error) << "one in a stream";
  options.vocab_size = 5000;  // the separator's id lies outside the vocabulary
  PrefetchSource ahead(std::make_unique<RowBatchSource>(data, options));
  EXPECT_THROW(ahead.next(), Error);
  EXPECT_THROW(ahead.next(), Error) << "asking again gives the same answer";
  EXPECT_EQ(ahead.position(), DataPosition());
}

#ifndef __SANITIZE_ADDRESS__
TEST_F(BatchSourceTest, AThreadThatCannotStartIsAnError) {
  const auto start_too_many = [this] {
    auto source = std::make_unique<RowBatchSource>(dataset(true), batches(Packing::joined, 1, 8));
    const RestrictedMemory restricted(64 << 20);
    try {
      PrefetchSource(std::move(source), 64);
    } catch (const std::system_error&) {
      std::_Exit(0);
    }
  };
  EXPECT_EXIT(start_too_many(), testing::ExitedWithCode(0), "");
}
#endif

TEST_F(BatchSourceTest, PrefetchingAnEvaluationEnds) {
  auto options = batches(Packing::none, 300, 4);
  options.evaluation = true;
  PrefetchSource ahead(std::make_unique<RowBatchSource>(dataset(false), options));
  int64_t rows = 0;
  while (const auto batch = ahead.next()) rows += batch->ids.size(0);
  EXPECT_EQ(rows, 1000);
  EXPECT_FALSE(ahead.next());
}

TEST_F(BatchSourceTest, ATextShorterThanARowGivesOnePaddedRow) {
  RowBatchSource source(dataset(true), batches(Packing::joined, 2, 100000));
  EXPECT_EQ(source.rows_per_epoch(), 1);
  const auto batch = source.next();
  EXPECT_EQ(batch->ids.size(0), 2);
  EXPECT_EQ(source.position(), (DataPosition{2, 0}));
  EXPECT_EQ(batch->targets.labels[0][99999].item<int64_t>(), kIgnoredLabel);
}

// The last batch of an epoch and the last batch of all have the rows that are left.
TEST_F(BatchSourceTest, TrainingEndsAfterTheAskedRows) {
  const auto data = dataset(true);
  RowBatchSource endless(data, batches(Packing::joined, 1, 32));
  const auto options = batches(Packing::joined, 4, 32);
  RowBatchSource rows(data, options);
  const int64_t per_epoch = rows.rows_per_epoch(), all = per_epoch + 3;
  ASSERT_NE(per_epoch % 4, 0);
  rows.end_after(all);
  PrefetchSource ahead(std::make_unique<RowBatchSource>(data, options), 2);
  ahead.end_after(all);
  for (int64_t row = 0; row < all;) {
    const auto batch = rows.next(), fetched = ahead.next();
    ASSERT_TRUE(batch && fetched) << row;
    EXPECT_EQ(batch->rows(), std::min<int64_t>(4, (row < per_epoch ? per_epoch : all) - row)) << row;
    EXPECT_TRUE(at::equal(fetched->ids, batch->ids)) << row;
    for (int64_t i = 0; i < batch->rows(); ++i, ++row)
      EXPECT_TRUE(at::equal(batch->ids[i], endless.next()->ids[0])) << row;
  }
  EXPECT_FALSE(rows.next() || ahead.next());
  EXPECT_EQ(rows.position(), (DataPosition{1, 3}));
  EXPECT_EQ(ahead.position(), rows.position());
}

}  // namespace
}  // namespace galore
