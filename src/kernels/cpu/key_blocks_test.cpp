#include "kernels/cpu/key_blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace galore::kernels::cpu {
namespace {

using Bounds = std::vector<int32_t>;

BlockPairs pairs_of(const Bounds& first, const Bounds& end, size_t window) {
  return BlockPairs({first.data(), end.data(), first.size(), window});
}

BlockPairs causal_pairs(size_t length) { return BlockPairs({nullptr, nullptr, length, length}); }

// The bounds of `count` causal documents of `length` positions in one row.
std::pair<Bounds, Bounds> documents_of(size_t count, size_t length) {
  Bounds first, end;
  for (size_t t = 0; t < count * length; ++t) {
    first.push_back(static_cast<int32_t>(t / length * length));
    end.push_back(static_cast<int32_t>(t + 1));
  }
  return {first, end};
}

std::vector<Span> segments_of_row(const std::pair<Bounds, Bounds>& bounds, size_t multiple) {
  const auto& [first, end] = bounds;
  return independent_segments({first.data(), end.data(), first.size(), first.size()}, multiple);
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

TEST(BlockPairs, OfEightDocumentsInOneRowAreThoseOfEightRows) {
  const auto [first, end] = documents_of(8, 256);
  EXPECT_EQ(pairs_of(first, end, 8 * 256).all().size(), 80);
  EXPECT_EQ(8 * causal_pairs(256).all().size(), 80);
  EXPECT_EQ(causal_pairs(8 * 256).all().size(), 528);
}

TEST(Segments, OfDocumentsAreRowsWhereverTheyBegin) {
  for (const size_t length : {64, 100, 250, 256}) {
    const auto bounds = documents_of(8, length);
    const KeyRanges row{bounds.first.data(), bounds.second.data(), 8 * length, 8 * length};
    const std::vector<Span> segments = segments_of_row(bounds, 1);
    ASSERT_EQ(segments.size(), 8) << length;
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(segments[i].begin, i * length);
      EXPECT_EQ(segments[i].end, (i + 1) * length);
      const BlockPairs given(row.segment(segments[i])), expected = causal_pairs(length);
      ASSERT_EQ(given.all().size(), expected.all().size());
      for (size_t pair = 0; pair < expected.all().size(); ++pair)
        EXPECT_EQ(std::memcmp(&given.all()[pair], &expected.all()[pair], sizeof(BlockPair)), 0);
    }
  }
}

TEST(Segments, AreABlockAtLeastAndBeginWhereTheyMay) {
  const auto begins = [](const std::vector<Span>& segments) {
    std::vector<size_t> numbers;
    for (const Span& segment : segments) numbers.push_back(segment.begin);
    return numbers;
  };
  EXPECT_EQ(begins(segments_of_row(documents_of(10, 30), 1)), (std::vector<size_t>{0, 90, 180, 270}));
  EXPECT_EQ(begins(segments_of_row(documents_of(8, 48), 64)), (std::vector<size_t>{0, 192}));
}

TEST(Segments, AreNotCutWhereAKeyIsSeenAcross) {
  auto bounds = documents_of(4, 100);
  EXPECT_EQ(segments_of_row(bounds, 1).size(), 4);
  bounds.first[210] = 199;  // looks back over the cut at 200
  EXPECT_EQ(segments_of_row(bounds, 1).size(), 3);
  bounds.second[50] = 101;  // looks ahead over the cut at 100
  EXPECT_EQ(segments_of_row(bounds, 1).size(), 2);
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

// Returns true if query t sees key k, by the definition.
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
