#include "data/example_packing.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/random.h"

namespace galore {
namespace {

using Rows = std::vector<std::vector<uint32_t>>;

Rows rows_in(const ExamplePacking& packing) {
  Rows rows;
  for (int64_t i = 0; i < packing.num_rows(); ++i) {
    const auto row = packing.row(i);
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

TEST(ExamplePacking, TakesTheFirstRowWithRoom) {
  EXPECT_EQ(rows_in(ExamplePacking({6, 7, 3, 4, 1, 10, 2}, 10)), (Rows{{0, 2, 4}, {1, 6}, {3}, {5}}));
  EXPECT_EQ(rows_in(ExamplePacking({25, 10, 1}, 10)), (Rows{{0}, {1}, {2}})) << "a longer one fills a row";
  EXPECT_EQ(ExamplePacking({}, 10).num_rows(), 0);
}

// Row 0 has room for the last example, but it is closed by then.
TEST(ExamplePacking, ClosesTheOldestOfTooManyOpenRows) {
  std::vector<int32_t> lengths(ExamplePacking::kOpenRows + 1, 9);
  lengths[0] = 8;
  lengths.push_back(2);
  EXPECT_EQ(rows_in(ExamplePacking(lengths, 10)).front(), Rows{{0}}.front());
  lengths.erase(lengths.begin() + 1);
  EXPECT_EQ(rows_in(ExamplePacking(lengths, 10)).front(),
            (Rows{{0, static_cast<uint32_t>(lengths.size()) - 1}}.front()));
}

TEST(ExamplePacking, PacksEachExampleOnceAndWastesLittle) {
  constexpr int64_t kLength = 512;
  RandomStream random(1, "packing test");
  std::vector<int32_t> lengths;
  for (int i = 0; i < 20000; ++i) lengths.push_back(1 + static_cast<int32_t>(random.below(400)));
  std::vector<int> seen(lengths.size());
  const Rows rows = rows_in(ExamplePacking(lengths, kLength));
  for (const auto& row : rows) {
    int64_t tokens = 0;
    for (const uint32_t example : row) ++seen[example], tokens += lengths[example];
    EXPECT_LE(tokens, kLength);
    EXPECT_TRUE(std::is_sorted(row.begin(), row.end()));
  }
  EXPECT_EQ(seen, std::vector<int>(lengths.size(), 1));
  const int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  // If a row were closed as soon as the next example (200 tokens on average) does not fit, a fifth of the
  // tokens would be padding.
  EXPECT_GT(static_cast<double>(tokens), 0.95 * static_cast<double>(kLength * std::ssize(rows)));
}

}  // namespace
}  // namespace galore
