// Values of rows or of their tokens by a value head: numbers, returns of rewards, distributions and
// preferences. The task `reward` is the same for pairs and ratings of whole rows.
#include <ATen/ATen.h>

#include "core/errors.h"
#include "tasks/score_rows.h"
#include "tasks/tasks.h"
#include "tasks/value_metrics.h"
#include "tasks/value_rows.h"

namespace galore {
namespace {

nlohmann::ordered_json one_or_all(const std::vector<double>& values) {
  if (values.size() == 1) return values[0];
  return values;
}

class ValueTask : public Task {
 public:
  std::string name() const override { return "value"; }
  const std::vector<MetricKind>& metrics() const override { return value_metrics(); }
  std::unique_ptr<MetricSum> new_metrics() const override { return new_value_metrics(); }
  Batch batch_of(const at::Tensor& ids) const override { return batch_with_targets(ids, true); }
  bool reads_rows() const override { return true; }
  bool fits(const HeadConfig& head) const override { return head.kind == HeadKind::value; }

  HeadConfig new_head(const NewHead& wanted, const ReadRows&) const override {
    HeadConfig head;
    head.kind = HeadKind::value;
    head.value = wanted.value;
    return head;
  }
  ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const override {
    return is_pair(row) ? pair_row(row, encoding) : value_row(row, encoding);
  }
  void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig&,
                  const TakeRow& take) const override {
    const std::vector<int64_t> rows = rows_of_places(batch);
    const int64_t sides = batch.targets.pairs ? 2 : 1;
    const double* loss = predictions.losses.const_data_ptr<double>();
    for (int64_t row = 0, i = 0; row < batch.rows(); ++row) {
      std::vector<double> values, deviations;
      double sum = 0, count = 0;
      for (; i < static_cast<int64_t>(rows.size()) && rows[static_cast<size_t>(i)] == row; ++i) {
        values.push_back(predictions.readouts.const_data_ptr<double>()[2 * i]);
        deviations.push_back(predictions.readouts.const_data_ptr<double>()[2 * i + 1]);
        if (i % sides != 0) continue;
        sum += loss[i / sides];
        ++count;
      }
      take({{"value", one_or_all(values)}, {"std", one_or_all(deviations)}, {"loss", sum / count}});
    }
  }
};

class RewardTask : public ValueTask {
 public:
  std::string name() const override { return "reward"; }
  // Pairs need only one output, and ratings are numbers.
  HeadConfig new_head(const NewHead& wanted, const ReadRows& read_rows) const override {
    HeadConfig head = ValueTask::new_head(wanted, read_rows);
    if (wanted.loss_is_given) return head;
    read_rows([&](const TaskRow& first) {
      if (is_pair(first)) head.value.loss = ValueLoss::bradley_terry;
      return false;
    });
    return head;
  }
  ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const override {
    if (is_pair(row)) return pair_row(row, encoding);
    if (!row.values.contains("label") && encoding.needs_targets)
      fail(row.where, "expected a chosen and a rejected input, or 'label' with a rating");
    return value_row(row, encoding);
  }
};

}  // namespace

const Task& value_task() {
  static const ValueTask task;
  return task;
}

const Task& reward_task() {
  static const RewardTask task;
  return task;
}

}  // namespace galore
