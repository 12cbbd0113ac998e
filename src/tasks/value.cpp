// Values of rows or of their tokens by a value head: numbers, returns of rewards, distributions and
// preferences.
#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.h"
#include "core/labels.h"
#include "tasks/score_rows.h"
#include "tasks/statistics.h"
#include "tasks/tasks.h"

namespace galore {
namespace {

using Json = nlohmann::json;

const std::vector<MetricKind>& value_metrics() {
  static const std::vector<MetricKind> kinds{
      {.name = "eval_loss", .title = "Evaluation loss"},
      {.name = "eval_mae", .title = "Mean absolute error"},
      {.name = "eval_pearson", .larger_is_better = true, .title = "Pearson correlation"},
      {.name = "eval_pair_accuracy", .larger_is_better = true, .title = "Accuracy of pairs"}};
  return kinds;
}

double finite_number(const Json& value, const std::string& key, const std::string& where) {
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    fail(where, "{}: expected a number, given {}", key, value.dump().substr(0, 60));
  return value.get<double>();
}

std::vector<double> numbers(const Json& list, const std::string& key, const std::string& where) {
  if (!list.is_array()) fail(where, "{}: expected a list of numbers", key);
  std::vector<double> values;
  for (const Json& item : list) values.push_back(finite_number(item, key, where));
  return values;
}

// With c51 every target is a distribution over the head's locations, because a row may bring one.
std::vector<double> target_of_number(const ValueSupport& support, double value) {
  if (support.loss != ValueLoss::c51) return {value};
  std::vector<double> probabilities(static_cast<size_t>(support.num_bins));
  target_of(support, value, probabilities);
  return probabilities;
}

std::vector<double> target_of_label(const TaskRow& row, const ValueSupport& support) {
  const Json& label = row.values.at("label");
  if (!label.is_object()) return target_of_number(support, finite_number(label, "label", row.where));
  if (support.loss != ValueLoss::c51)
    fail(row.where, "label: a distribution needs value_head=c51, given {}", value_loss_name(support.loss));
  if (!label.contains("values") || !label.contains("probs"))
    fail(row.where, "label: expected 'values' and 'probs'");
  const auto values = numbers(label["values"], "values", row.where),
             masses = numbers(label["probs"], "probs", row.where);
  if (values.size() != masses.size() || values.empty())
    fail(row.where, "label: expected as many probs as values, given {} and {}", masses.size(), values.size());
  double sum = 0;
  for (const double mass : masses) sum += mass;
  if (std::abs(sum - 1) > 1e-3) fail(row.where, "probs: expected a sum of 1, given {}", sum);
  std::vector<double> probabilities(static_cast<size_t>(support.num_bins));
  project(support, values, masses, probabilities);
  return probabilities;
}

// Returns the Monte-Carlo returns G_t = r_t + gamma G_{t+1}.
std::vector<double> returns_of(const TaskRow& row) {
  std::vector<double> returns = numbers(row.values.at("rewards"), "rewards", row.where);
  const auto given = [&](const char* key) {
    return row.values.contains(key) ? finite_number(row.values[key], key, row.where) : 1.0;
  };
  const double gamma = given("gamma");
  if (given("lambda") != 1) fail(row.where, "lambda: expected 1 (whole returns), given {}", given("lambda"));
  for (size_t t = returns.size(); t-- > 1;) returns[t - 1] += gamma * returns[t];
  return returns;
}

// Fills the targets of every token; null means that a token has none.
void add_token_targets(ExampleRow& out, const TaskRow& row, const ValueSupport& support) {
  std::vector<Json> targets;
  if (row.values.contains("rewards")) {
    for (const double value : returns_of(row)) targets.emplace_back(value);
  } else {
    const Json& labels = row.values.at("labels");
    if (!labels.is_array()) fail(row.where, "labels: expected a list of numbers");
    targets.assign(labels.begin(), labels.end());
  }
  if (targets.size() < out.ids.size())
    fail(row.where, "expected a number or null for each of {} tokens, given {}", out.ids.size(),
         targets.size());
  for (size_t t = 0; t < out.ids.size(); ++t) {
    if (targets[t].is_null()) continue;
    out.places.push_back(static_cast<int64_t>(t));
    for (const double value : target_of_number(support, finite_number(targets[t], "labels", row.where)))
      out.values.push_back(value);
  }
  if (out.places.empty()) fail(row.where, "expected a number for at least one token");
}

ExampleRow pair_of(const TaskRow& row, const RowEncoding& encoding) {
  ExampleRow out;
  for (const std::string side : {"chosen", "rejected"}) {
    const std::vector<int64_t> ids = ids_of(row, side + "_input_ids", side, encoding);
    out.places.push_back(static_cast<int64_t>(out.ids.size()) + scored_position(ids, encoding.config));
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.ends.push_back(static_cast<int64_t>(out.ids.size()));
  }
  out.labels.assign(out.ids.size(), kIgnoredLabel);
  return out;
}

bool is_pair(const TaskRow& row) {
  return row.values.contains("chosen_input_ids") || row.values.contains("chosen");
}

class ValueMetrics : public MetricSum {
 public:
  void add(const LossSum& loss, const Batch& batch, const Predictions& predictions) override {
    loss_.loss += loss.loss;
    loss_.num_tokens += loss.num_tokens;
    if (!predictions.values.defined()) return;
    if (batch.targets.pairs) {
      const double* losses = predictions.losses.const_data_ptr<double>();
      // The loss of a pair is below log 2 exactly if the preferred side has the higher value.
      for (int64_t i = 0; i < batch.targets.count; ++i, ++num_pairs_)
        right_pairs_ += losses[i] < std::log(2.0);
      return;
    }
    if (batch.targets.values.size(1) != 1) return;
    const at::Tensor given = batch.targets.values.contiguous(), read = predictions.readouts;
    for (int64_t i = 0; i < given.size(0); ++i) {
      given_.push_back(given.const_data_ptr<double>()[i]);
      predicted_.push_back(read.const_data_ptr<double>()[2 * i]);
    }
  }
  std::vector<Metric> finish() const override {
    double error = 0;
    for (size_t i = 0; i < given_.size(); ++i) error += std::abs(given_[i] - predicted_[i]);
    const auto share = [](double sum, size_t count) { return sum / static_cast<double>(count); };
    const auto& kinds = value_metrics();
    return {{kinds[0], loss_.mean()},
            {kinds[1], share(error, given_.size())},
            {kinds[2], pearson(predicted_, given_)},
            {kinds[3], share(static_cast<double>(right_pairs_), num_pairs_)}};
  }

 private:
  LossSum loss_;
  std::vector<double> given_, predicted_;
  size_t right_pairs_ = 0, num_pairs_ = 0;
};

class ValueTask : public Task {
 public:
  std::string name() const override { return "value"; }
  const std::vector<MetricKind>& metrics() const override { return value_metrics(); }
  std::unique_ptr<MetricSum> new_metrics() const override { return std::make_unique<ValueMetrics>(); }
  Batch batch_of(const at::Tensor& ids) const override { return batch_with_targets(ids, true); }
  MakeTargets make_targets() const override { return score_targets; }
  bool reads_rows() const override { return true; }
  bool fits(const HeadConfig& head) const override { return head.kind == HeadKind::value; }

  HeadConfig new_head(const NewHead& wanted, const ReadRows&) const override {
    HeadConfig head;
    head.kind = HeadKind::value;
    head.value = wanted.value;
    return head;
  }
  ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const override {
    if (is_pair(row)) return pair_of(row, encoding);
    const ValueSupport& support = encoding.config.head.value;
    RowInput input = row_input(row, encoding);
    if (row.values.contains("label")) {
      const int64_t place = scored_position(input.ids, encoding.config);
      return row_with_target(std::move(input), place, target_of_label(row, support));
    }
    if (!row.values.contains("labels") && !row.values.contains("rewards"))
      fail(row.where, "expected 'label', 'labels', 'rewards', or a chosen and a rejected input");
    ExampleRow out;
    out.labels.assign(input.ids.size(), kIgnoredLabel);
    out.ids = std::move(input.ids);
    add_token_targets(out, row, support);
    return out;
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

 private:
  static nlohmann::ordered_json one_or_all(const std::vector<double>& values) {
    if (values.size() == 1) return values[0];
    return values;
  }
};

}  // namespace

const Task& value_task() {
  static const ValueTask task;
  return task;
}

}  // namespace galore
