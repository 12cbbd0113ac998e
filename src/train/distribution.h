// The part of a run of many processes that its options decide.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/lost_process.h"
#include "core/parameter.h"
#include "train/train_options.h"

namespace galore {

// Returns the share of this process in an update of resolved options.
UpdateShare share_of(const SharingOptions& sharing, int64_t micro_batches);
UpdateShare share_of(const DataOptions& options);
// Returns the share of the process with most micro-batches.
UpdateShare largest_share_of(const DataOptions& options);

// A run that resumes keeps the micro-batches of an update and their groups, whatever the number of processes,
// unless reduction_groups is given. Process 0 looks for the checkpoint. Call it before resolve().
void keep_sums(TrainOptions& options, OptionTable& table, Collective& collective);
// Multiplies gradient_accumulation_steps, which counts the micro-batches of one process.
void share_micro_batches(TrainOptions& options, std::vector<std::string>& notes);
// Turns reduction_groups into a number.
void resolve_groups(TrainOptions& options, std::vector<std::string>& notes);
// Tells the optimizer which processes keep its state.
void choose_owners(TrainOptions& options);
// Returns the options of a run of one process with the same results.
TrainOptions as_one_process(TrainOptions options);

// Calls `work` in process 0. If it fails, it fails for all processes. `meanwhile` is what the others do for
// the work; process 0 calls it as well, after the work or its failure.
void in_first(Collective& collective, const std::function<void()>& work,
              const std::function<void()>& meanwhile = nullptr);
// Sets `tensor` to that of process 0, which has the same shape and dtype.
void take_from_first(const at::Tensor& tensor, Collective& collective);
// Throws an Error that names a process and a weight if the processes do not hold the same weights, as after
// different kernels on different processors.
void require_equal_weights(const ParameterList& parameters, Collective& collective);
// Throws a UsageError if this process has other options than process 0.
void require_equal_options(const TrainOptions& options, Collective& collective);

}  // namespace galore
