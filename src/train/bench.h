// Measures speed and memory of training on synthetic tokens: model and optimizer alone, without data and
// files.
#pragma once

#include "train/memory_fit.h"

namespace galore {

struct BenchResult {
  double tokens_per_second = 0;  // of the median step, without its refreshes
  // includes the refreshes of the timed steps, or one refresh spread over the gap
  double tokens_per_second_with_refresh = 0;
  double step_seconds = 0, optimizer_seconds = 0, refresh_seconds = 0;
  double slow_refresh_share = 0;  // 99th percentile of a step's time in refreshes, divided by the median step
  double slow_step_share = 0;     // 99th percentile of the steps with refreshes, divided by their median
  double product_rate_share = 0;  // computing rate divided by the measured rate of matrix products
  double product_rate = 0;        // the measured rate of matrix products, in operations per second
  double first_step_seconds = 0;  // from the start of the process to the end of the first update
  int64_t peak_memory_bytes = 0;
  // the plan, and the memory that it does not count (memory_plan.h)
  int64_t planned_bytes = 0, program_bytes = 0;
  int64_t library_bytes = 0;            // of program_bytes
  int64_t rows = 0, micro_batches = 0;  // of an update, as auto_find_batch_size found them
  int64_t minor_faults_per_step = 0;    // pages touched for the first time; 0 when buffers are reused
};

// Times `steps` updates after two warm-up updates. `options` must be resolved. A run that does not fit the
// memory is refused (memory_fit.h).
BenchResult bench(TrainOptions options, int64_t steps, const Say& say);

}  // namespace galore
