// Connects the mixture of a run with its model and optimizer.
#pragma once

#include <cstdint>
#include <memory>

#include "core/batch.h"
#include "core/collective.h"
#include "mixtures/mixture_run.h"
#include "train/memory_plan.h"
#include "train/run_builder.h"
#include "train/train_options.h"

namespace galore {

// Returns the number of rows of a source in one measurement (measured_rows()).
int64_t measured_rows_of(const DataOptions& data, int64_t num_sources);

// Returns null if `train_data` is not a mixture. `run`, `train_data` and `collective` must outlive the
// result.
std::unique_ptr<MixtureRun> make_mixture_run(const TrainOptions& options, BatchSource& train_data,
                                             const RunObjects& run, int64_t max_steps,
                                             Collective& collective = single_process());

// Runs one measurement with batches like `rows`, to count its memory.
void plan_mixture(const RunObjects& run, const Workload& workload, const Batch& rows);

}  // namespace galore
