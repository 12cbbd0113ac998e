#include "train/evaluation.h"

#include "core/clock.h"
#include "core/errors.h"
#include "core/labels.h"
#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "tasks/task.h"

namespace galore {

double Evaluation::value(const std::string& metric) const {
  for (const Metric& own : metrics)
    if (own.name == metric) return own.value;
  fail("evaluation", "expected a metric of the task, given '{}'", metric);
}

Evaluation evaluate(TrainableModel& model, const Task& task, BatchSource& data, int64_t max_batches,
                    const std::function<bool()>& is_unwanted, const TakePredictions& take) {
  const double start = steady_seconds();
  data.seek({});
  Evaluation result;
  const auto metrics = task.new_metrics();
  while (max_batches == 0 || result.num_batches < max_batches) {
    if (is_unwanted && is_unwanted()) {
      result.interrupted = true;
      return result;
    }
    const auto batch = data.next();
    if (!batch) break;
    Predictions predictions;
    const bool wanted = take || task.reads_rows();
    const LossSum loss = model.evaluate(*batch, wanted ? &predictions : nullptr);
    metrics->add(loss, *batch, predictions);
    if (take) take(*batch, predictions);
    result.num_tokens += loss.num_tokens;
    ++result.num_batches;
  }
  result.metrics = metrics->finish();
  result.seconds = steady_seconds() - start;
  return result;
}

Evaluation evaluate_together(TrainableModel& model, const Task& task, BatchSource& data, int64_t max_batches,
                             const std::function<bool()>& is_unwanted, Collective& collective) {
  if (collective.size() == 1 || task.reads_rows())
    return evaluate(model, task, data, max_batches, is_unwanted);
  const double start = steady_seconds();
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
