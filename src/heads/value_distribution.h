// Scalar values as distributions over a fixed support: targets, read-outs and the losses between them.
// Legend: N values, m locations.
//
// The source is "Stop Regressing: Training Value Functions via Classification for Scalable Deep RL"
// (arXiv 2403.03950). Only this header knows the three kinds of targets, so a network that is no language
// model can use it with a softmax layer of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace galore {

enum class ValueLoss {
  mse,       // one output, squared error
  two_hot,   // the value is split between its two neighbouring locations
  hl_gauss,  // a Gaussian around the value, integrated over each bin
  c51,       // a distribution is projected onto the locations; a number becomes its projection
};
// Accepts "mse", "two_hot", "hl_gauss" or "c51"; any other name is a UsageError.
ValueLoss value_loss_from_name(const std::string& name);
const char* value_loss_name(ValueLoss loss);
std::vector<std::string> value_loss_names();

struct ValueSupport {
  ValueLoss loss = ValueLoss::hl_gauss;
  double v_min = -10, v_max = 10;
  int64_t num_bins = 51;
  double sigma_ratio = 0.75;  // standard deviation of hl_gauss, as a multiple of a bin's width

  // Returns the number of outputs that a head needs.
  int64_t num_outputs() const { return loss == ValueLoss::mse ? 1 : num_bins; }
};

// Throws a UsageError unless v_min < v_max, num_bins is at least 2 and sigma_ratio is above 0.
void check(const ValueSupport& support);
// Returns the m values that a distribution's read-out weighs: bin centres for hl_gauss, otherwise evenly
// spaced locations that include both ends. With mse the result is empty.
std::vector<double> locations(const ValueSupport& support);

// Computes the target distribution of a number (m probabilities that sum to 1). A number outside of the
// support counts as its nearest end.
void target_of(const ValueSupport& support, double value, std::span<double> probabilities);
// Projects a distribution with any values onto the support (C51: each mass is split linearly between its two
// neighbours). `values` and `masses` have equal lengths.
void project(const ValueSupport& support, std::span<const double> values, std::span<const double> masses,
             std::span<double> probabilities);

struct ValueReadout {
  double value = 0, deviation = 0;  // mean and standard deviation; with mse the deviation is 0
};
// Reads the value from a head's logits (num_outputs() numbers).
ValueReadout read_out(const ValueSupport& support, std::span<const float> logits);

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
