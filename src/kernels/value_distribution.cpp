#include "kernels/value_distribution.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr std::array kLossNames = {"mse", "two_hot", "hl_gauss", "c51", "quantile", "bradley_terry"};

double bin_width(const ValueSupport& support) {
  return (support.v_max - support.v_min) / static_cast<double>(support.num_bins);
}

double first_location(const ValueSupport& support) {
  return support.loss == ValueLoss::hl_gauss ? support.v_min + bin_width(support) / 2 : support.v_min;
}

double spacing(const ValueSupport& support) {
  if (support.loss == ValueLoss::hl_gauss) return bin_width(support);
  return (support.v_max - support.v_min) / static_cast<double>(support.num_bins - 1);
}

// The differences of error functions need fp64: near the ends of the support they cancel.
void integrate_gaussian(const ValueSupport& support, double value, std::span<double> probabilities) {
  const double width = bin_width(support), scale = 1 / (std::sqrt(2.0) * support.sigma_ratio * width);
  double sum = 0, below = std::erf((support.v_min - value) * scale);
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const double edge = support.v_min + static_cast<double>(i + 1) * width;
    const double until = std::erf((edge - value) * scale);
    probabilities[i] = until - below;
    sum += probabilities[i];
    below = until;
  }
  for (double& probability : probabilities) probability /= sum;
}

// Fills `probabilities` with the softmax and returns the logarithm of the sum of exponentials.
double softmax(std::span<const float> logits, std::vector<double>& probabilities) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  probabilities.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    probabilities[i] = std::exp(static_cast<double>(logits[i]) - largest);
    sum += probabilities[i];
  }
  for (double& probability : probabilities) probability /= sum;
  return largest + std::log(sum);
}

ValueReadout mean_and_deviation(std::span<const float> samples) {
  ValueReadout result;
  const auto count = static_cast<double>(samples.size());
  double square = 0;
  for (const float sample : samples) result.value += static_cast<double>(sample) / count;
  for (const float sample : samples)
    square += std::pow(static_cast<double>(sample) - result.value, 2) / count;
  result.deviation = std::sqrt(square);
  return result;
}

// Replaces the logits by scale times the gradient of their read-out.
void read_out_gradient(const ValueSupport& support, std::span<float> logits, double value, double scale) {
  if (!support.is_categorical()) {
    std::fill(logits.begin(), logits.end(), static_cast<float>(scale / static_cast<double>(logits.size())));
    return;
  }
  std::vector<double> probabilities;
  softmax(logits, probabilities);
  const double first = first_location(support), step = spacing(support);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] =
        static_cast<float>(scale * probabilities[i] * (first + step * static_cast<double>(i) - value));
}

}  // namespace

ValueLoss value_loss_from_name(const std::string& name) {
  for (size_t i = 0; i < kLossNames.size(); ++i)
    if (canonical_name(name) == kLossNames[i]) return static_cast<ValueLoss>(i);
  fail_usage("value_head", "expected mse, two_hot, hl_gauss, c51, quantile or bradley_terry, given '{}'",
             name);
}

const char* value_loss_name(ValueLoss loss) { return kLossNames[static_cast<size_t>(loss)]; }

std::vector<std::string> value_loss_names() { return {kLossNames.begin(), kLossNames.end()}; }

void check(const ValueSupport& support) {
  if (support.is_scalar()) return;
  if (support.num_bins < 2 || support.num_bins > 1 << 20)
    fail_usage("value_head_args", "num_bins: expected 2 to {}, given {}", 1 << 20, support.num_bins);
  if (!std::isfinite(support.kappa) || support.kappa <= 0)
    fail_usage("value_head_args", "kappa: expected above 0, given {}", support.kappa);
  if (!support.is_categorical()) return;
  if (!std::isfinite(support.v_min) || !std::isfinite(support.v_max) || support.v_min >= support.v_max)
    fail_usage("value_head_args", "expected v_min below v_max, given {} and {}", support.v_min,
               support.v_max);
  if (!std::isfinite(support.sigma_ratio) || support.sigma_ratio <= 0)
    fail_usage("value_head_args", "sigma_ratio: expected above 0, given {}", support.sigma_ratio);
}

std::vector<double> locations(const ValueSupport& support) {
  if (!support.is_categorical()) return {};
  std::vector<double> values(static_cast<size_t>(support.num_bins));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = first_location(support) + spacing(support) * static_cast<double>(i);
  return values;
}

void project(const ValueSupport& support, std::span<const double> values, std::span<const double> masses,
             std::span<double> probabilities) {
  GALORE_ASSERT(values.size() == masses.size());
  std::fill(probabilities.begin(), probabilities.end(), 0.0);
  const double last = static_cast<double>(probabilities.size() - 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const double inside = std::clamp(values[i], support.v_min, support.v_max);
    const double place = std::clamp((inside - first_location(support)) / spacing(support), 0.0, last);
    const double lower = std::floor(place);
    const auto index = static_cast<size_t>(lower);
    probabilities[index] += masses[i] * (1 - (place - lower));
    if (place > lower) probabilities[index + 1] += masses[i] * (place - lower);
  }
}

void target_of(const ValueSupport& support, double value, std::span<double> probabilities) {
  const double inside = std::clamp(value, support.v_min, support.v_max), mass = 1;
  if (support.loss == ValueLoss::hl_gauss)
    integrate_gaussian(support, inside, probabilities);
  else
    project(support, {&inside, 1}, {&mass, 1}, probabilities);
}

ValueReadout read_out(const ValueSupport& support, std::span<const float> logits) {
  if (!support.is_categorical()) return mean_and_deviation(logits);
  std::vector<double> probabilities;
  softmax(logits, probabilities);
  const double first = first_location(support), step = spacing(support);
  ValueReadout result;
  double square = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    result.value += probabilities[i] * (first + step * static_cast<double>(i));
  for (size_t i = 0; i < logits.size(); ++i) {
    const double distance = first + step * static_cast<double>(i) - result.value;
    square += probabilities[i] * distance * distance;
  }
  result.deviation = std::sqrt(square);
  return result;
}

double cross_entropy_of(std::span<float> logits, std::span<const double> probabilities, double scale) {
  GALORE_ASSERT(logits.size() == probabilities.size());
  std::vector<double> predicted;
  const double log_sum = softmax(logits, predicted);
  double loss = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    loss += probabilities[i] * (log_sum - static_cast<double>(logits[i]));
    logits[i] = static_cast<float>(scale * (predicted[i] - probabilities[i]));
  }
  return loss;
}

double squared_error_of(std::span<float> logits, double value, double scale) {
  const double difference = static_cast<double>(logits[0]) - value;
  logits[0] = static_cast<float>(2 * scale * difference);
  return difference * difference;
}

double negative_log_sigmoid(double x) { return std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double preference_loss_of(const ValueSupport& support, std::span<float> preferred, std::span<float> rejected,
                          double scale) {
  const double better = read_out(support, preferred).value, worse = read_out(support, rejected).value;
  const double difference = better - worse;
  const double slope = -1 / (1 + std::exp(difference));
  read_out_gradient(support, preferred, better, scale * slope);
  read_out_gradient(support, rejected, worse, -scale * slope);
  return negative_log_sigmoid(difference);
}

}  // namespace galore
