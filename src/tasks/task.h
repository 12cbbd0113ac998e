// A task says what a row of data means to a model: which positions are predicted, and how good the
// predictions are. The trainer, the memory plan, the benchmark and the reports know a task by this interface
// only. A task is one file and one row of the table in task.cpp.
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

// Sums up the batches of one evaluation.
class MetricSum {
 public:
  virtual ~MetricSum() = default;
  virtual void add(const LossSum& batch) = 0;
  // The values of Task::metrics(), in that order. A value that is not finite stays so.
  virtual std::vector<Metric> finish() const = 0;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;  // the value of the option `task`
  // The first one chooses the best checkpoint unless metric_for_best_model names another.
  virtual const std::vector<MetricKind>& metrics() const = 0;
  virtual std::unique_ptr<MetricSum> new_metrics() const = 0;
  // A batch of these token ids (B x T) with every target that such rows may have. The memory plan asks for it
  // on the meta device, the benchmark with random ids.
  virtual Batch batch_of(const at::Tensor& ids) const = 0;
};

std::vector<std::string> task_names();
// An unknown name is a UsageError that says the nearest known one.
const Task& find_task(const std::string& name);

// The metrics of all tasks, each name once: a report may hold runs of several tasks.
std::vector<MetricKind> all_metrics();
// The metric that a user names with or without the prefix "eval_"; null if the task has none that could
// choose the best checkpoint.
const MetricKind* find_metric(const Task& task, const std::string& name);
// All names that find_metric() accepts for some task.
std::vector<std::string> metric_choices();

}  // namespace galore
