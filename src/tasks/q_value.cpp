// Values of tokens as actions, learned offline from rewards (heads/action_value_loss.h).
#include <ATen/ATen.h>

#include "core/errors.h"
#include "tasks/score_rows.h"
#include "tasks/tasks.h"
#include "tasks/value_metrics.h"
#include "tasks/value_rows.h"

namespace galore {
namespace {

class QValueTask : public Task {
 public:
  std::string name() const override { return "q_value"; }
  const std::vector<MetricKind>& metrics() const override { return value_metrics(); }
  std::unique_ptr<MetricSum> new_metrics() const override { return new_value_metrics(); }
  Batch batch_of(const at::Tensor& ids) const override { return batch_with_targets(ids, true); }
  bool reads_rows() const override { return true; }
  bool fits(const HeadConfig& head) const override { return head.kind == HeadKind::action_value; }

  HeadConfig new_head(const NewHead& wanted, const ReadRows&) const override {
    HeadConfig head;
    head.kind = HeadKind::action_value;
    head.value = wanted.value;
    head.num_actions = wanted.num_actions;
    if (head.value.loss == ValueLoss::bradley_terry)
      fail_usage("value_head",
                 "expected a head that learns from numbers with task=q_value, given bradley_terry");
    return head;
  }
  ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const override {
    return action_row(row, encoding);
  }
  // Writes the values of the actions taken, and the best action of each state with its value.
  void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig&,
                  const TakeRow& take) const override {
    const std::vector<int64_t> rows = rows_of_places(batch);
    for (int64_t row = 0, i = 0; row < batch.rows(); ++row) {
      std::vector<double> values, deviations, best_values;
      std::vector<int64_t> best_actions;
      double sum = 0;
      for (; i < static_cast<int64_t>(rows.size()) && rows[static_cast<size_t>(i)] == row; ++i) {
        const double* best = predictions.actions.const_data_ptr<double>() + 2 * i;
        values.push_back(predictions.readouts.const_data_ptr<double>()[2 * i]);
        deviations.push_back(predictions.readouts.const_data_ptr<double>()[2 * i + 1]);
        best_actions.push_back(static_cast<int64_t>(best[0]));
        best_values.push_back(best[1]);
        sum += predictions.losses.const_data_ptr<double>()[i];
      }
      const double count = static_cast<double>(values.size());
      take({{"value", values},
            {"std", deviations},
            {"best_action", best_actions},
            {"best_value", best_values},
            {"loss", sum / count}});
    }
  }
};

}  // namespace

const Task& q_value_task() {
  static const QValueTask task;
  return task;
}

}  // namespace galore
