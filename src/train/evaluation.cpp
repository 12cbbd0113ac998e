#include "train/evaluation.h"

#include "core/clock.h"
#include "core/errors.h"
#include "core/labels.h"
#include "data/batch_source.h"
#include "data/mixture_options.h"
#include "models/causal_lm.h"
#include "tasks/task.h"

namespace galore {

double Evaluation::value(const std::string& metric) const {
  for (const Metric& own : metrics)
    if (own.name == metric) return own.value;
  fail("evaluation", "expected a metric of the task, given '{}'", metric);
}

namespace {

// An evaluation of one or several data sets.
class RunningEvaluation {
 public:
  RunningEvaluation(TrainableModel& model, const Task& task, int64_t max_batches,
                    const std::function<bool()>& is_unwanted, const TakePredictions& take)
      : model_(model), task_(task), max_batches_(max_batches), is_unwanted_(is_unwanted), take_(take) {}

  // Returns the losses of the data set, whose predictions are added to `metrics` unless it is null.
  LossSum add(BatchSource& data, MetricSum* metrics) {
    data.seek({});
    LossSum sum;
    for (int64_t i = 0; (max_batches_ == 0 || i < max_batches_) && !result_.interrupted; ++i) {
      result_.interrupted = is_unwanted_ && is_unwanted_();
      const auto batch = result_.interrupted ? std::nullopt : data.next();
      if (!batch) break;
      Predictions predictions;
      const bool wanted = metrics && (take_ || task_.reads_rows());
      const LossSum loss = model_.evaluate(*batch, wanted ? &predictions : nullptr);
      if (metrics) metrics->add(loss, *batch, predictions);
      if (take_) take_(*batch, predictions);
      sum += loss;
      ++result_.num_batches;
    }
    result_.num_tokens += sum.num_tokens;
    return sum;
  }

  // `more` are metrics that follow those of the task.
  Evaluation finish(const MetricSum& metrics, const std::vector<Metric>& more = {}) {
    if (result_.interrupted) return result_;
    result_.metrics = metrics.finish();
    result_.metrics.insert(result_.metrics.end(), more.begin(), more.end());
    result_.seconds = steady_seconds() - start_;
    return result_;
  }

 private:
  TrainableModel& model_;
  const Task& task_;
  int64_t max_batches_;
  const std::function<bool()>& is_unwanted_;
  const TakePredictions& take_;
  Evaluation result_;
  double start_ = steady_seconds();
};

}  // namespace

Evaluation evaluate(TrainableModel& model, const Task& task, BatchSource& data, int64_t max_batches,
                    const std::function<bool()>& is_unwanted, const TakePredictions& take) {
  RunningEvaluation run(model, task, max_batches, is_unwanted, take);
  const auto metrics = task.new_metrics();
  run.add(data, metrics.get());
  return run.finish(*metrics);
}

Evaluation evaluate(TrainableModel& model, const Task& task, EvalData& data, int64_t max_batches,
                    const std::function<bool()>& is_unwanted) {
  const TakePredictions none;
  RunningEvaluation run(model, task, max_batches, is_unwanted, none);
  const auto metrics = task.new_metrics();
  if (data.main) run.add(*data.main, metrics.get());
  std::vector<Metric> losses;
  for (const EvalData::Source& source : data.sources) {
    const LossSum loss = run.add(*source.data, data.main ? nullptr : metrics.get());
    losses.push_back({mixture_loss_metric(source.name), loss.mean()});
  }
  return run.finish(*metrics, losses);
}

Evaluation evaluate_together(TrainableModel& model, const Task& task, EvalData& parts, int64_t max_batches,
                             const std::function<bool()>& is_unwanted, Collective& collective) {
  if (collective.size() == 1 || task.reads_rows() || !parts.sources.empty())
    return evaluate(model, task, parts, max_batches, is_unwanted);
  const double start = steady_seconds();
  BatchSource& data = *parts.main;
  data.seek({});
  Evaluation result;
  const auto metrics = task.new_metrics();
  for (bool more = true; more;) {
    if (is_unwanted()) {
      result.interrupted = true;
      return result;
    }
    // Each process takes one batch of a round. All of them read all batches.
    std::vector<Batch> round;
    LossSum own;
    for (int process = 0; more && process < collective.size(); ++process) {
      const bool allowed = max_batches == 0 || result.num_batches < max_batches;
      auto batch = allowed ? data.next() : std::nullopt;
      more = batch.has_value();
      if (!more) break;
      if (process == collective.index()) own = model.evaluate(*batch);
      round.push_back(std::move(*batch));
      ++result.num_batches;
    }
    const std::vector<double> all = collective.gather({own.loss, static_cast<double>(own.num_tokens)});
    for (size_t i = 0; i < round.size(); ++i) {
      const LossSum loss{all[2 * i], static_cast<int64_t>(all[2 * i + 1])};
      metrics->add(loss, round[i], {});
      result.num_tokens += loss.num_tokens;
    }
  }
  result.metrics = metrics->finish();
  result.seconds = steady_seconds() - start;
  return result;
}

void require_count(int64_t targets, const std::string& name) {
  if (targets == 0)
    fail(name, "expected labels other than {} within max_length, given none: there is nothing to evaluate",
         kIgnoredLabel);
}

void require_targets(BatchSource& data, int64_t max_batches, const std::string& name) {
  data.seek({});
  int64_t targets = 0;
  for (int64_t i = 0; max_batches == 0 || i < max_batches; ++i) {
    const auto batch = data.next();
    if (!batch) break;
    targets += batch->targets.count;
  }
  require_count(targets, name);
}

}  // namespace galore
