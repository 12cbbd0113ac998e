#include "tasks/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace galore {
namespace {

const std::vector<int64_t> kGiven{0, 1, 1, 0, 2, 2, 1, 0}, kPredicted{0, 1, 0, 0, 2, 1, 1, 2};

// The expected numbers are those of scikit-learn 1.9 (matthews_corrcoef, f1_score).
TEST(Statistics, OfClassesAreThoseOfScikitLearn) {
  EXPECT_EQ(accuracy(kPredicted, kGiven), 5.0 / 8);
  EXPECT_NEAR(matthews_correlation(kPredicted, kGiven), 0.42857142857142855, 1e-12);
  EXPECT_NEAR(f1_of_ones({1, 1, 0, 1}, {1, 0, 0, 1}), 0.8, 1e-12);
}

TEST(Statistics, OfOneClassAreZero) {
  EXPECT_EQ(matthews_correlation({1, 1, 1}, {1, 1, 1}), 0);
  EXPECT_EQ(matthews_correlation({0, 1, 0}, {1, 1, 1}), 0);
  EXPECT_EQ(f1_of_ones({0, 0}, {0, 0}), 0);
  EXPECT_TRUE(std::isnan(accuracy({}, {})));
}

// The expected numbers are those of scipy 1.17 (pearsonr, spearmanr); two pairs of equal numbers share ranks.
TEST(Statistics, OfNumbersAreThoseOfScipy) {
  const std::vector<double> given{1, 2, 2, 4, 5, 0.5}, predicted{1.5, 1, 2, 2, 6, 0};
  EXPECT_NEAR(pearson(predicted, given), 0.8514531192907339, 1e-12);
  EXPECT_NEAR(spearman(predicted, given), 0.8676470588235294, 1e-12);
}

TEST(Statistics, AreUndefinedForAConstant) {
  EXPECT_TRUE(std::isnan(pearson({1, 1, 1}, {1, 2, 3})));
  EXPECT_TRUE(std::isnan(spearman({1, 2, 3}, {4, 4, 4})));
  EXPECT_TRUE(std::isnan(pearson({1}, {1})));
  // The mean of these numbers is rounded, so that none is equal to it.
  EXPECT_TRUE(std::isnan(pearson({0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, {1, 2, 3, 4, 5, 7})));
}

// With deviations that are the errors themselves, every group foretells its error exactly.
TEST(Statistics, CalibrationComparesSpreadsWithErrors) {
  std::vector<double> predicted, deviations, doubled, given(40, 0);
  for (int i = 1; i <= 40; ++i) {
    predicted.push_back(i % 2 == 0 ? i : -i);
    deviations.push_back(i);
    doubled.push_back(2 * i);
  }
  EXPECT_NEAR(calibration_error(predicted, deviations, given), 0, 1e-12);
  EXPECT_NEAR(calibration_error(predicted, doubled, given), 0.5, 1e-12);
  EXPECT_TRUE(std::isnan(calibration_error(predicted, std::vector<double>(40, 0), given)));
  EXPECT_TRUE(std::isnan(calibration_error({1}, {1}, {1})));
}

}  // namespace
}  // namespace galore
