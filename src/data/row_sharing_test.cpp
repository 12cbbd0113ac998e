#include "data/row_sharing.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "data/batch_options.h"

namespace galore {
namespace {

// Returns an example with ids from `first` on, a type for each token, and a place at its last token.
ExampleRow sharing_example(int64_t first, int64_t length) {
  ExampleRow row;
  row.ids.resize(static_cast<size_t>(length));
  std::iota(row.ids.begin(), row.ids.end(), first);
  row.labels.assign(row.ids.size(), -100);
  row.places = {length - 1};
  row.values = {static_cast<double>(first)};
  row.num_targets = 1;
  return row;
}

TEST(RowSharing, FillsFewRowsEvenly) {
  std::vector<ExampleRow> examples;
  for (const int64_t length : {3, 12, 5, 4, 8}) examples.push_back(sharing_example(100 * length, length));
  examples[2].types.assign(5, 1);
  examples[4].ends = {3, 8};
  const std::vector<ExampleRow> rows = share_rows(examples, 16, 4);
  // 12 + 4 and 8 + 5 + 3, each in the order of the batch.
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].ends, (std::vector<int64_t>{12, 16}));
  EXPECT_EQ(rows[0].values, (std::vector<double>{1200, 400}));
  EXPECT_TRUE(rows[0].types.empty());
  EXPECT_EQ(rows[1].ends, (std::vector<int64_t>{3, 8, 11, 16}));
  EXPECT_EQ(rows[1].places, (std::vector<int64_t>{2, 7, 15}));
  EXPECT_EQ(rows[1].values, (std::vector<double>{300, 500, 800}));
  EXPECT_EQ(rows[1].types, (std::vector<int64_t>{0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(rows[1].num_targets, 3);
  EXPECT_EQ(rows[1].ids[15], 807);
}

TEST(RowSharing, LeavesRowsThatItCannotMakeSmaller) {
  const std::vector<ExampleRow> equal{sharing_example(1, 8), sharing_example(2, 8)};
  EXPECT_EQ(share_rows(equal, 16, 8).size(), 2U);
  BatchOptions options;
  options.packing = Packing::none;
  options.max_length = 24;
  options.share_rows = true;
  const std::vector<ExampleRow> odd{sharing_example(1, 13), sharing_example(2, 13)};
  EXPECT_EQ(batch_of(odd, options).length(), 13) << "only shared rows are rounded up";
  const std::vector<ExampleRow> long_ones{sharing_example(1, 9), sharing_example(2, 7),
                                          sharing_example(3, 9)};
  EXPECT_EQ(share_rows(long_ones, 8, 1).size(), 3U) << "no row is longer than the longest example";
}

TEST(RowSharing, KeepsTheExamplesOfABatchApart) {
  BatchOptions options;
  options.packing = Packing::none;
  options.max_length = 32;
  options.bidirectional = options.share_rows = true;
  options.make_targets = [](const ExampleRows& rows) { return score_targets(rows); };
  const Batch batch =
      batch_of({sharing_example(10, 20), sharing_example(50, 6), sharing_example(60, 5)}, options);
  ASSERT_EQ(batch.rows(), 1);
  EXPECT_EQ(batch.length(), 32);  // 31 tokens
  EXPECT_EQ(batch.positions[0][26].item<int64_t>(), 0);
  EXPECT_EQ(batch.first_key[0][28].item<int>(), 26);
  EXPECT_EQ(batch.end_key[0][28].item<int>(), 31);
  EXPECT_EQ(batch.targets.count, 3);
  EXPECT_TRUE(at::equal(batch.ids.view(-1).index_select(0, batch.targets.places),
                        at::tensor({29, 55, 64}, at::kLong)));
}

}  // namespace
}  // namespace galore
