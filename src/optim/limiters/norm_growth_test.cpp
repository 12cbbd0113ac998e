#include "optim/limiters/norm_growth.h"

#include <gtest/gtest.h>

namespace galore {
namespace {

TEST(NormGrowth, LetsTheFirstNormAndSmallGrowthPass) {
  NormGrowth limiter(1.5);
  EXPECT_EQ(limiter.factor(4), 1);
  EXPECT_EQ(limiter.factor(5), 1);
  EXPECT_EQ(limiter.factor(0.5), 1);
  EXPECT_EQ(limiter.factor(0.75), 1);
}

// The limiter compares with the previous limited norm, not with the norm that was asked for, and adds 1e-8 to
// it.
TEST(NormGrowth, BoundsTheRatioOfSuccessiveNorms) {
  NormGrowth limiter(1.01);
  double previous = 0;
  for (const double norm : {1.0, 10.0, 10.0, 1000.0, 2.0, 2.5, 0.1, 1e6}) {
    const double limited = norm * limiter.factor(norm);
    if (previous > 0) {
      EXPECT_LE(limited / (previous + 1e-8), 1.01 * (1 + 1e-15));
    }
    if (previous > 0 && norm > 1.01 * (previous + 1e-8)) {
      EXPECT_NEAR(limited / (previous + 1e-8), 1.01, 1e-14);
    }
    previous = limited;
  }
}

TEST(NormGrowth, BeginsAnewAfterAZero) {
  NormGrowth limiter(2);
  limiter.factor(3);
  EXPECT_EQ(limiter.factor(0), 1);
  EXPECT_EQ(limiter.factor(100), 1);
  EXPECT_NEAR(limiter.factor(400), 0.5, 1e-9);  // the 1e-8 that is added to 100 is negligible
}

struct VisitedNames : StateVisitor {
  void tensor(const std::string&, at::Tensor&) override { ++count; }
  void scalar(const std::string&, int64_t&) override { ++count; }
  void scalar(const std::string&, double&) override { ++count; }
  int count = 0;
};

TEST(NormGrowth, OfZeroLimitsNothingAndKeepsNothing) {
  NormGrowth limiter(0);
  for (const double norm : {1.0, 100.0, 1e9}) EXPECT_EQ(limiter.factor(norm), 1);
  VisitedNames off, on;
  limiter.visit(off);
  NormGrowth(1.01).visit(on);
  EXPECT_EQ(off.count, 0);
  EXPECT_EQ(on.count, 1);
}

}  // namespace
}  // namespace galore
