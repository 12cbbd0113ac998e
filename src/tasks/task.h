// A task defines the meaning of a row of data for a model: which positions are predicted, and how the
// predictions are rated. The trainer, the memory plan, the benchmark and the reports know a task only by this
// interface. A task is one file and one row of the table in task.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/metric.h"

namespace galore {

struct Batch;
struct LossSum;

// Sums the metrics over the batches of one evaluation.
class MetricSum {
 public:
  virtual ~MetricSum() = default;
  virtual void add(const LossSum& batch) = 0;
  // Returns the values in the order of Task::metrics(). A value that is not finite stays so.
  virtual std::vector<Metric> finish() const = 0;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;  // the value of the option `task`
  // Returns the metrics. The first one chooses the best checkpoint unless metric_for_best_model names
  // another.
  virtual const std::vector<MetricKind>& metrics() const = 0;
  virtual std::unique_ptr<MetricSum> new_metrics() const = 0;
  // Returns a batch of these token ids (B x T) with every target that such rows can have. The memory plan
  // calls it on the meta device, and the benchmark with random ids.
  virtual Batch batch_of(const at::Tensor& ids) const = 0;
};

std::vector<std::string> task_names();
// Throws a UsageError with the nearest known name if the name is unknown.
const Task& find_task(const std::string& name);

// Returns the metrics of all tasks, each name once, because a report may hold runs of several tasks.
std::vector<MetricKind> all_metrics();
// Returns the metric that a user names with or without the prefix "eval_", or null if the task has no such
// metric that can choose the best checkpoint.
const MetricKind* find_metric(const Task& task, const std::string& name);
// Returns all names that find_metric() accepts for some task.
std::vector<std::string> metric_choices();

}  // namespace galore
