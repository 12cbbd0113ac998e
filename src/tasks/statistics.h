// Statistics that compare predictions with references, with the conventions of scikit-learn and scipy. A
// statistic that is not defined is NaN. `predicted` and `given` have equal lengths.
#pragma once

#include <cstdint>
#include <vector>

namespace galore {

double accuracy(const std::vector<int64_t>& predicted, const std::vector<int64_t>& given);
// Returns the F1 score of class 1. Without predicted and given positives it is 0.
double f1_of_ones(const std::vector<int64_t>& predicted, const std::vector<int64_t>& given);
// Returns Matthews' correlation of any number of classes. It is 0 where either side has one class only.
double matthews_correlation(const std::vector<int64_t>& predicted, const std::vector<int64_t>& given);
// Returns Pearson's correlation. It is NaN for fewer than two rows and where either side is constant.
double pearson(const std::vector<double>& predicted, const std::vector<double>& given);
// Returns Pearson's correlation of the ranks, where equal numbers share their mean rank.
double spearman(const std::vector<double>& predicted, const std::vector<double>& given);
// Returns the expected normalized calibration error (Levi et al., "Evaluating and Calibrating Uncertainty
// Prediction in Regression Tasks", arXiv 1905.11659, equation 8): rows are sorted by their deviation into up
// to ten groups of equal size, and the mean over groups of |root mean variance - root mean squared error| /
// root mean variance is taken. It is 0 for perfect deviations and NaN for fewer than ten rows or if a group
// has no deviation.
double calibration_error(const std::vector<double>& predicted, const std::vector<double>& deviations,
                         const std::vector<double>& given);

}  // namespace galore
