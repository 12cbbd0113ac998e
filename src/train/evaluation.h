// A task's metrics over a data set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/metric.h"

namespace galore {

class BatchSource;
class CausalLM;
class Task;

struct Evaluation {
  std::vector<Metric> metrics;  // those of the task, in its order
  int64_t num_tokens = 0, num_batches = 0;
  double seconds = 0;
  bool interrupted = false;  // the other fields mean nothing then

  // The value of the metric with this name; an Error if the task does not have it.
  double value(const std::string& metric) const;
};

// From the beginning of `data`; at most `max_batches` (0: all). `is_unwanted` is asked before each batch.
Evaluation evaluate(CausalLM& model, const Task& task, BatchSource& data, int64_t max_batches = 0,
                    const std::function<bool()>& is_unwanted = {});

}  // namespace galore
