// Scalar values as distributions over a fixed support: targets, read-outs and the losses between them.
// Legend: N values, m locations.
//
// The source is "Stop Regressing: Training Value Functions via Classification for Scalable Deep RL"
// (arXiv 2403.03950); quantiles follow "Distributional Reinforcement Learning with Quantile Regression"
// (arXiv 1710.10044). Nothing here knows a model, so a network that is no language model can use it too.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace galore {

enum class ValueLoss {
  mse,            // one output, squared error
  two_hot,        // the value is split between its two neighbouring locations
  hl_gauss,       // a Gaussian around the value, integrated over each bin
  c51,            // a distribution is projected onto the locations; a number becomes its projection
  quantile,       // m outputs are quantiles of the value at (i + 1/2) / m, by the quantile Huber loss
  bradley_terry,  // one output that only pairs teach: -log sigmoid of a difference (preference_loss_of())
};
// Accepts the names above; any other name is a UsageError.
ValueLoss value_loss_from_name(const std::string& name);
const char* value_loss_name(ValueLoss loss);
std::vector<std::string> value_loss_names();

struct ValueSupport {
  ValueLoss loss = ValueLoss::hl_gauss;
  double v_min = -10, v_max = 10;
  int64_t num_bins = 51;
  double sigma_ratio = 0.75;  // standard deviation of hl_gauss, as a multiple of a bin's width
  double kappa = 1;           // of quantile: errors below it count as squares, larger ones linearly

  bool is_scalar() const { return loss == ValueLoss::mse || loss == ValueLoss::bradley_terry; }
  // Says whether the outputs are logits of a distribution over locations between v_min and v_max.
  bool is_categorical() const { return !is_scalar() && loss != ValueLoss::quantile; }
  // Returns the number of outputs that a head needs.
  int64_t num_outputs() const { return is_scalar() ? 1 : num_bins; }
  bool contains(double value) const { return !is_categorical() || (value >= v_min && value <= v_max); }
};

// Throws a UsageError unless v_min < v_max, num_bins is at least 2, and sigma_ratio and kappa are above 0.
void check(const ValueSupport& support);
// Returns the m values that a distribution's read-out weighs: bin centres for hl_gauss, otherwise evenly
// spaced locations that include both ends. The result is empty unless the support is categorical.
std::vector<double> locations(const ValueSupport& support);

// Computes a categorical head's target distribution of a number (m probabilities that sum to 1). A number
// outside of the support counts as its nearest end.
void target_of(const ValueSupport& support, double value, std::span<double> probabilities);
// Projects a distribution with any values onto the support (C51: each mass is split linearly between its two
// neighbours). `values` and `masses` have equal lengths.
void project(const ValueSupport& support, std::span<const double> values, std::span<const double> masses,
             std::span<double> probabilities);

struct ValueReadout {
  double value = 0, deviation = 0;  // mean and standard deviation; with one output the deviation is 0
};
// Reads the value from a head's logits (num_outputs() numbers).
ValueReadout read_out(const ValueSupport& support, std::span<const float> logits);

// Returns -log sigmoid(x), and never overflows. Its derivative is -1 / (1 + e^x).
double negative_log_sigmoid(double x);

// The functions below return the loss of one row of logits and replace the logits by scale times the loss's
// gradient.
//
// Cross entropy between softmax(logits) and `probabilities`; the target's entropy is not subtracted.
double cross_entropy_of(std::span<float> logits, std::span<const double> probabilities, double scale);
// (logits[0] - value)^2.
double squared_error_of(std::span<float> logits, double value, double scale);
// Bradley-Terry: -log sigmoid(value(preferred) - value(rejected)), where value() is the read-out.
double preference_loss_of(const ValueSupport& support, std::span<float> preferred, std::span<float> rejected,
                          double scale);

}  // namespace galore
