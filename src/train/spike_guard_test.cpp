#include "train/spike_guard.h"

#include <gtest/gtest.h>

#include <limits>

namespace galore {
namespace {

// Losses alternate between 1 and 3, so the mean is exactly 2 and the standard deviation exactly 1.
SpikeGuard filled() {
  SpikeGuard guard;
  for (size_t i = 0; i < SpikeGuard::kWindow; ++i) EXPECT_TRUE(guard.accept(i % 2 == 0 ? 1 : 3, 4));
  return guard;
}

TEST(SpikeGuard, JudgesByTheRecentLosses) {
  SpikeGuard guard = filled();
  EXPECT_TRUE(guard.accept(6, 4));  // exactly the mean plus 4 deviations
  guard = filled();
  EXPECT_FALSE(guard.accept(6.001, 4));
  EXPECT_FALSE(guard.accept(std::numeric_limits<double>::infinity(), 4));
  EXPECT_FALSE(guard.accept(std::numeric_limits<double>::quiet_NaN(), 4));
  EXPECT_EQ(guard.recent.size(), SpikeGuard::kWindow);
  EXPECT_EQ(guard.in_a_row, 3);
  EXPECT_TRUE(guard.accept(-100, 4)) << "a fall is no spike";
  EXPECT_EQ(guard.in_a_row, 0);
  EXPECT_EQ(guard.recent.size(), SpikeGuard::kWindow);
}

TEST(SpikeGuard, KnowsNothingBeforeTheWindowIsFull) {
  SpikeGuard guard;
  for (size_t i = 0; i < SpikeGuard::kWindow; ++i)
    EXPECT_TRUE(guard.accept(i + 1 == SpikeGuard::kWindow ? 1e9 : 1, 1));
}

TEST(SpikeGuard, AThresholdOfZeroAcceptsAndRemembersNothing) {
  SpikeGuard guard;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(guard.accept(i == 99 ? 1e9 : 1, 0));
  EXPECT_TRUE(guard.recent.empty());
}

// Otherwise every update after a lasting rise of the loss (other data) would be skipped.
TEST(SpikeGuard, ALastingRiseIsNotASpike) {
  SpikeGuard guard = filled();
  int rejected = 0;
  while (!guard.accept(100, 4)) ++rejected;
  EXPECT_EQ(rejected, SpikeGuard::kMostInARow - 1);
  EXPECT_EQ(guard.recent, std::vector<double>{100});
}

}  // namespace
}  // namespace galore
