#include "kernels/cpu/key_blocks.h"

#include <gtest/gtest.h>

#include <random>

namespace galore::kernels::cpu {
namespace {

using Bounds = std::vector<int32_t>;

BlockPairs pairs_of(const Bounds& first, const Bounds& end, size_t window) {
  return BlockPairs({first.data(), end.data(), first.size(), window});
}

BlockPairs causal_pairs(size_t length) { return BlockPairs({nullptr, nullptr, length, length}); }

// `count` causal documents of `length` positions in one row.
BlockPairs document_pairs(size_t count, size_t length) {
  Bounds first, end;
  for (size_t t = 0; t < count * length; ++t) {
    first.push_back(static_cast<int32_t>(t / length * length));
    end.push_back(static_cast<int32_t>(t + 1));
  }
  return pairs_of(first, end, first.size());
}

// Multiply-adds of the forward pass per feature: scores of whole blocks of keys, then weights times values.
size_t products(const BlockPairs& pairs) {
  size_t sum = 0;
  for (const BlockPair& pair : pairs.all()) sum += pair.rows().size() * (kBlock + pair.columns().size());
  return sum;
}

TEST(BlockPairs, OfACausalRowAreALowerTriangle) {
  const BlockPairs pairs = causal_pairs(200);
  size_t next = 0;
  for (uint32_t i = 0; i < 4; ++i)
    for (uint32_t j = 0; j <= i; ++j, ++next) {
      ASSERT_LT(next, pairs.all().size());
      EXPECT_EQ(pairs.all()[next].queries, i);
      EXPECT_EQ(pairs.all()[next].keys, j);
      EXPECT_EQ(pairs.all()[next].rows().size(), i == 3 ? 200 - 192 : 64);
    }
  EXPECT_EQ(pairs.all().size(), next);
  EXPECT_EQ(pairs.of(2).size(), 3);
}

TEST(BlockPairs, OfEightDocumentsAreThoseOfEightRows) {
  EXPECT_EQ(document_pairs(8, 256).all().size(), 8 * causal_pairs(256).all().size());
  EXPECT_EQ(document_pairs(8, 256).all().size(), 80);
  EXPECT_EQ(causal_pairs(8 * 256).all().size(), 528);
}

// Documents that do not end with a block share one with the next, and their scores reach over one more block
// of keys for about half of their queries: half a block of 64 in the 2.5 that a query of 256 positions sees
// on average.
TEST(BlockPairs, OfUnevenDocumentsCostLittleMore) {
  for (const size_t length : {193, 250, 300, 511})
    EXPECT_LE(products(document_pairs(8, length)), 1.15 * 8 * products(causal_pairs(length))) << length;
}

TEST(BlockPairs, LeaveOutTheGapBetweenRangesOfOneBlock) {
  Bounds first(1024, 0), end(1024, 0);
  first[0] = 0, end[0] = 1;
  first[1] = 1000, end[1] = 1024;
  const BlockPairs pairs = pairs_of(first, end, 1024);
  ASSERT_EQ(pairs.all().size(), 2);
  EXPECT_EQ(pairs.all()[0].keys, 0);
  EXPECT_EQ(pairs.all()[1].keys, 15);
  EXPECT_EQ(pairs.all()[1].columns().begin, 1000 - 15 * 64);
  EXPECT_EQ(pairs.all()[1].rows().size(), 4);  // one tile
}

// Whether query t sees key k, by the definition.
bool sees(const Bounds& first, const Bounds& end, size_t window, size_t t, size_t k) {
  const auto key = static_cast<int32_t>(k);
  return first[t] <= key && key < end[t] && t < k + window;
}

TEST(BlockPairs, HoldAllThatIsSeenAndNothingElse) {
  constexpr size_t kLength = 330;
  std::mt19937 generator(7);
  for (const size_t window : {kLength, size_t{90}}) {
    Bounds first(kLength), end(kLength);
    for (size_t t = 0; t < kLength; ++t) {
      first[t] = static_cast<int32_t>(generator() % (kLength + 1));
      end[t] = std::min<int32_t>(kLength, first[t] + static_cast<int32_t>(generator() % 40));
    }
    const BlockPairs pairs = pairs_of(first, end, window);
    size_t inside = 0;
    for (const BlockPair& pair : pairs.all()) {
      size_t before = inside;
      for (size_t row = pair.first_row; row < pair.end_row; ++row)
        for (size_t column = pair.first_column; column < pair.end_column; ++column) {
          const size_t t = pair.queries * kBlock + row, k = pair.keys * kBlock + column;
          inside += t < kLength && k < kLength && sees(first, end, window, t, k);
        }
      EXPECT_GT(inside, before) << "a pair in which nothing is seen";
    }
    size_t all = 0;
    for (size_t t = 0; t < kLength; ++t)
      for (size_t k = 0; k < kLength; ++k) all += sees(first, end, window, t, k);
    EXPECT_EQ(inside, all);
  }
}

}  // namespace
}  // namespace galore::kernels::cpu
