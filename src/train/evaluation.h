// Evaluates a task's metrics over a data set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/metric.h"

namespace galore {

class BatchSource;
struct Batch;
struct Predictions;
class TrainableModel;
class Task;

struct Evaluation {
  std::vector<Metric> metrics;  // the task's metrics, in its order
  int64_t num_tokens = 0, num_batches = 0;
  double seconds = 0;
  bool interrupted = false;  // if true, the other fields mean nothing

  // Returns the value of the metric with this name. It is an Error if the task does not have the metric.
  double value(const std::string& metric) const;
};

// The data of an evaluation. The metrics are those of `main` or, without it, of all sources together. For
// each source of a mixture the mean loss of a token is a metric of its own (mixture_loss_metric()).
struct EvalData {
  struct Source {
    std::string name;
    std::unique_ptr<BatchSource> data;
  };
  std::unique_ptr<BatchSource> main;
  std::vector<Source> sources;

  explicit operator bool() const { return main || !sources.empty(); }
};

// Receives each batch of an evaluation with its predictions.
using TakePredictions = std::function<void(const Batch&, const Predictions&)>;

// Evaluates from the beginning of `data`, at most `max_batches` batches (0: all). `is_unwanted` is called
// before each batch; true interrupts the evaluation.
Evaluation evaluate(TrainableModel& model, const Task& task, BatchSource& data, int64_t max_batches = 0,
                    const std::function<bool()>& is_unwanted = {}, const TakePredictions& take = {});
// Evaluates all parts of `data`, at most `max_batches` batches of each.
Evaluation evaluate(TrainableModel& model, const Task& task, EvalData& data, int64_t max_batches = 0,
                    const std::function<bool()>& is_unwanted = {});
// Evaluates with several processes, which take turns with the batches and all return what one process does.
// Each process evaluates all batches if the task judges predictions, because these are not sent, and with
// data of several sources. `is_unwanted` is called by all processes at the same time and must return the same
// on all of them.
Evaluation evaluate_together(TrainableModel& model, const Task& task, EvalData& data, int64_t max_batches,
                             const std::function<bool()>& is_unwanted, Collective& collective);

// Throws an Error that names the data if none of their targets counts.
void require_count(int64_t targets, const std::string& name);
// Reads what evaluate() would read. A token or a label that the model cannot have is an Error, and so are
// data without any target that counts, which would give no loss. `name` names the data in that message.
void require_targets(BatchSource& data, int64_t max_batches, const std::string& name);

}  // namespace galore
