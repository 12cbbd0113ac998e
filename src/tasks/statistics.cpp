#include "tasks/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace galore {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool is_constant(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; });
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t end = first + 1;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (size_t i = first; i < end; ++i) result[order[i]] = static_cast<double>(first + end - 1) / 2;
    first = end;
  }
  return result;
}

}  // namespace

double accuracy(const std::vector<int64_t>& predicted, const std::vector<int64_t>& given) {
  if (given.empty()) return kUndefined;
  const auto right = std::inner_product(predicted.begin(), predicted.end(), given.begin(), int64_t{0},
                                        std::plus<>(), std::equal_to<>());
  return static_cast<double>(right) / static_cast<double>(given.size());
}

double f1_of_ones(const std::vector<int64_t>& predicted, const std::vector<int64_t>& given) {
  int64_t both = 0, either = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    both += predicted[i] == 1 && given[i] == 1;
    either += (predicted[i] == 1) + (given[i] == 1);
  }
  return either == 0 ? 0 : 2 * static_cast<double>(both) / static_cast<double>(either);
}

// The formula for several classes is that of Gorodkin (2004), with the counts of a confusion matrix.
double matthews_correlation(const std::vector<int64_t>& predicted, const std::vector<int64_t>& given) {
  std::map<int64_t, double> of_predicted, of_given;
  double right = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    ++of_predicted[predicted[i]];
    ++of_given[given[i]];
    right += predicted[i] == given[i];
  }
  const auto rows = static_cast<double>(given.size());
  double product = 0, squares_of_predicted = 0, squares_of_given = 0;
  for (const auto& [label, count] : of_predicted) {
    squares_of_predicted += count * count;
    if (const auto other = of_given.find(label); other != of_given.end()) product += count * other->second;
  }
  for (const auto& [label, count] : of_given) squares_of_given += count * count;
  const double below = (rows * rows - squares_of_predicted) * (rows * rows - squares_of_given);
  return below > 0 ? (right * rows - product) / std::sqrt(below) : 0;
}

double pearson(const std::vector<double>& predicted, const std::vector<double>& given) {
  // The mean of equal numbers is rounded, so their variance may be a little above 0.
  if (given.size() < 2 || is_constant(predicted) || is_constant(given)) return kUndefined;
  const double mean_predicted = mean(predicted), mean_given = mean(given);
  double product = 0, squares_of_predicted = 0, squares_of_given = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const double a = predicted[i] - mean_predicted, b = given[i] - mean_given;
    product += a * b;
    squares_of_predicted += a * a;
    squares_of_given += b * b;
  }
  if (squares_of_predicted == 0 || squares_of_given == 0) return kUndefined;  // differences that underflow
  return product / std::sqrt(squares_of_predicted * squares_of_given);
}

double spearman(const std::vector<double>& predicted, const std::vector<double>& given) {
  return pearson(ranks(predicted), ranks(given));
}

double calibration_error(const std::vector<double>& predicted, const std::vector<double>& deviations,
                         const std::vector<double>& given) {
  constexpr size_t kGroups = 10;
  const size_t rows = given.size();
  if (rows < kGroups) return kUndefined;
  std::vector<size_t> order(rows);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return deviations[a] < deviations[b]; });
  double sum = 0;
  for (size_t group = 0; group < kGroups; ++group) {
    double variance = 0, error = 0;
    const size_t begin = group * rows / kGroups, end = (group + 1) * rows / kGroups;
    for (size_t i = begin; i < end; ++i) {
      variance += deviations[order[i]] * deviations[order[i]];
      error += std::pow(predicted[order[i]] - given[order[i]], 2);
    }
    if (variance == 0) return kUndefined;
    sum += std::abs(1 - std::sqrt(error / variance));
  }
  return sum / static_cast<double>(kGroups);
}

}  // namespace galore
