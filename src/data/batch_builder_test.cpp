#include "data/batch_builder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/labels.h"

namespace galore {
namespace {

at::Tensor longs(std::vector<std::vector<int64_t>> rows) {
  std::vector<at::Tensor> tensors;
  for (const auto& row : rows) tensors.push_back(at::tensor(row, at::kLong));
  return at::stack(tensors);
}

void expect_equal(const at::Tensor& given, const std::vector<std::vector<int64_t>>& expected) {
  EXPECT_TRUE(at::equal(given.to(at::kLong), longs(expected))) << given;
}

TEST(BatchBuilder, PadsToTheLongestRowAndPredictsTheNextToken) {
  const Batch batch = build_batch({{{1, 2, 3}, {1, kIgnoredLabel, 3}, {}}, {{4}, {4}, {}}}, {9, 2});
  expect_equal(batch.ids, {{1, 2, 3}, {4, 9, 9}});
  expect_equal(batch.targets.labels, {{-100, 3, -100}, {-100, -100, -100}});
  EXPECT_EQ(batch.targets.count, 1);
  EXPECT_FALSE(batch.positions.defined() || batch.first_key.defined() || batch.end_key.defined());
}

TEST(BatchBuilder, KeepsTheShortestLength) {
  EXPECT_EQ(build_batch({{{4}, {4}, {}}}, {9, 2}).length(), 2);
  EXPECT_EQ(build_batch({{{4}, {4}, {}}}, {9, 7}).length(), 7);
  EXPECT_EQ(build_batch({{{4, 5, 6}, {4, 5, 6}, {}}}, {9, 2}).length(), 3);
}

TEST(BatchBuilder, IsolatedExamplesSeeThemselvesAlone) {
  const Batch batch =
      build_batch({{{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {2, 5}}, {{6, 7, 8}, {6, 7, 8}, {3}}}, {9, 2});
  expect_equal(batch.ids, {{1, 2, 3, 4, 5}, {6, 7, 8, 9, 9}});
  expect_equal(batch.targets.labels, {{2, -100, 4, 5, -100}, {7, 8, -100, -100, -100}});
  EXPECT_EQ(batch.targets.count, 5);
  expect_equal(batch.positions, {{0, 1, 0, 1, 2}, {0, 1, 2, 0, 0}});
  expect_equal(batch.first_key, {{0, 0, 2, 2, 2}, {0, 0, 0, 3, 4}});
  expect_equal(batch.end_key, {{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}});
  EXPECT_EQ(batch.positions.scalar_type(), at::kLong);
  EXPECT_EQ(batch.first_key.scalar_type(), at::kInt);
  EXPECT_EQ(batch.end_key.scalar_type(), at::kInt);
}

TEST(BatchBuilder, OneIsolatedExampleARowIsPlainCausalAttention) {
  const Batch batch = build_batch({{{1, 2}, {1, 2}, {2}}, {{3}, {3}, {1}}}, {9, 2});
  EXPECT_FALSE(batch.positions.defined() || batch.first_key.defined() || batch.end_key.defined());
}

TEST(BatchBuilder, BidirectionalRowsSeeTheirTokensAndNoPadding) {
  RowPadding padding{9, 2};
  padding.bidirectional = true;
  const Batch batch = build_batch({{{1, 2, 3}, {1, 2, 3}, {}}, {{4}, {4}, {}}}, padding);
  expect_equal(batch.first_key, {{0, 0, 0}, {0, 1, 2}});
  expect_equal(batch.end_key, {{3, 3, 3}, {1, 2, 3}});
  EXPECT_FALSE(batch.positions.defined() || batch.token_types.defined());
  const Batch packed = build_batch({{{1, 2, 3}, {1, 2, 3}, {1, 3}}}, padding);
  expect_equal(packed.first_key, {{0, 1, 1}});
  expect_equal(packed.end_key, {{1, 3, 3}});
  expect_equal(packed.positions, {{0, 0, 1}});
}

TEST(BatchBuilder, PadsToAMultipleWithinTheLongestRow) {
  RowPadding padding{9, 2};
  padding.multiple = 4;
  padding.max_length = 6;
  const auto length_of = [&](int64_t tokens) {
    const std::vector<int64_t> ids(static_cast<size_t>(tokens), 1);
    return build_batch({{ids, ids, {}}}, padding).length();
  };
  EXPECT_EQ(length_of(3), 4);
  EXPECT_EQ(length_of(4), 4);
  EXPECT_EQ(length_of(5), 6);
  EXPECT_EQ(length_of(6), 6);
}

TEST(BatchBuilder, KeepsTokenTypes) {
  ExampleRow pair{{1, 2, 3}, {1, 2, 3}, {}};
  pair.types = {0, 0, 1};
  expect_equal(build_batch({pair, {{4, 5}, {4, 5}, {}}}, {9, 2}).token_types, {{0, 0, 1}, {0, 0, 0}});
}

TEST(BatchBuilder, ATaskMakesItsOwnTargets) {
  const MakeTargets last_tokens = [](const ExampleRows& rows) {
    Targets targets{at::full_like(rows.ids, kIgnoredLabel)};
    for (size_t row = 0; row < rows.ends.size(); ++row)
      for (const int64_t end : rows.ends[row]) {
        const auto place = static_cast<int64_t>(row);
        targets.labels[place][end - 1] = rows.labels[place][end - 1];
        ++targets.count;
      }
    return targets;
  };
  const Batch batch =
      build_batch({{{1, 2}, {7, 8}, {}}, {{3, 4, 5}, {5, 6, 7}, {1, 3}}}, {0, 2}, last_tokens);
  expect_equal(batch.targets.labels, {{-100, 8, -100}, {5, -100, 7}});
  EXPECT_EQ(batch.targets.count, 3);
}

}  // namespace
}  // namespace galore
