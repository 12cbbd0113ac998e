#include "tasks/value_metrics.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "tasks/statistics.h"

namespace galore {
namespace {

constexpr double kNoMetric = std::numeric_limits<double>::quiet_NaN();

double share_of(double sum, size_t count) { return sum / static_cast<double>(count); }

class ValueMetrics : public MetricSum {
 public:
  void add(const LossSum& loss, const Batch& batch, const Predictions& predictions) override {
    loss_ += loss;
    if (!predictions.values.defined()) return;
    batch.targets.pairs ? add_pairs(batch, predictions) : add_numbers(predictions);
  }
  std::vector<Metric> finish() const override {
    double error = 0;
    for (size_t i = 0; i < given_.size(); ++i) error += std::abs(given_[i] - predicted_[i]);
    const auto& kinds = value_metrics();
    const bool has_targets = num_pairs_ == 0;
    return {
        {kinds[0], loss_.mean()},
        {kinds[1], share_of(error, given_.size())},
        {kinds[2], pearson(predicted_, given_)},
        {kinds[3], share_of(static_cast<double>(right_pairs_), num_pairs_)},
        {kinds[4], has_targets ? loss_.mean() - entropy_ / static_cast<double>(loss_.num_tokens) : kNoMetric},
        {kinds[5], calibration_error(predicted_, deviations_, given_)}};
  }

 private:
  void add_pairs(const Batch& batch, const Predictions& predictions) {
    const double* losses = predictions.losses.const_data_ptr<double>();
    // The loss of a pair is below log 2 exactly if the preferred side has the higher value.
    for (int64_t i = 0; i < batch.targets.count; ++i, ++num_pairs_) right_pairs_ += losses[i] < std::log(2.0);
  }
  void add_numbers(const Predictions& predictions) {
    if (predictions.entropies.defined()) entropy_ += predictions.entropies.sum().item<double>();
    const double *given = predictions.target_values.const_data_ptr<double>(),
                 *read = predictions.readouts.const_data_ptr<double>();
    for (int64_t i = 0; i < predictions.target_values.numel(); ++i) {
      if (std::isnan(given[i])) continue;
      given_.push_back(given[i]);
      predicted_.push_back(read[2 * i]);
      deviations_.push_back(read[2 * i + 1]);
    }
  }

  LossSum loss_;
  double entropy_ = 0;
  std::vector<double> given_, predicted_, deviations_;
  size_t right_pairs_ = 0, num_pairs_ = 0;
};

}  // namespace

const std::vector<MetricKind>& value_metrics() {
  static const std::vector<MetricKind> kinds{
      {.name = "eval_loss", .title = "Evaluation loss"},
      {.name = "eval_mae", .title = "Mean absolute error"},
      {.name = "eval_pearson", .larger_is_better = true, .title = "Pearson correlation"},
      {.name = "eval_pair_accuracy", .larger_is_better = true, .title = "Accuracy of pairs"},
      {.name = "eval_excess_loss", .title = "Evaluation loss without the targets' entropy"},
      {.name = "eval_calibration_error", .title = "Calibration error of the spread"}};
  return kinds;
}

std::unique_ptr<MetricSum> new_value_metrics() { return std::make_unique<ValueMetrics>(); }

}  // namespace galore
