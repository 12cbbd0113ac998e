// Decides before anything is allocated whether a run fits the available memory, and finds a batch size that
// fits.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/collective.h"
#include "core/memory_at_hand.h"
#include "train/memory_plan.h"
#include "train/train_options.h"

namespace galore {

struct MemoryFit {
  MemoryPlan plan;
  MemoryAtHand at_hand;
  int64_t program = 0;    // program and libraries, which the plan does not count (memory_plan.h)
  int64_t libraries = 0;  // their part in `program` (memory_libraries.h)
  int64_t need() const { return plan.total() + program; }
  bool fits() const { return need() <= at_hand.bytes; }
};

Workload workload_of(const DataOptions& data, const TaskOptions& task);
// Returns memory_limit if it is set, and the limits of the system otherwise. The measured part of the
// libraries does not count as held. Processes of one machine share the system's memory equally.
MemoryAtHand memory_at_hand(const MachineOptions& machine, at::Device device, int64_t local_processes = 1);
// Returns the bytes of a stream's buffers, if they are in the memory of the device; 0 without a stream.
int64_t data_bytes(const DataOptions& data, const MachineOptions& machine);
// Plans the run and compares its need with the available memory.
MemoryFit plan_fit(const TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand);

struct BatchSize {
  int64_t rows, micro_batches;
  std::string text() const;  // as two options and their values
};
// Returns the batch sizes with the same number of rows in an update, from that of the options downwards. The
// update stays the same except for rounding.
std::vector<BatchSize> equal_batches(const DataOptions& data);
void set_batch_size(DataOptions& data, const BatchSize& size);

using Say = std::function<void(const std::string&)>;

// Sets the first of equal_batches() that fits (auto_find_batch_size), and reports it by `say`. A resumed run
// keeps the choice of its checkpoint, whose configuration is `before`, if that still fits, so that its
// results are the same to the bit.
void find_batch_size(TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand,
                     const std::map<std::string, std::string>& before, const Say& say);
// Does find_batch_size() if the options ask for it, and plans the run. A run that does not fit is an Error
// that names remedies, unless memory_check is off.
// All processes take the batch size that fits in each of them.
MemoryFit require_fit(TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand,
                      const std::map<std::string, std::string>& before, const Say& say,
                      Collective& collective = single_process());

// Returns "fits: it needs 345.92 MiB, at hand are 22.00 GiB (physical memory that is available)".
std::string describe(const MemoryFit& fit);

// Returns changes of options by which the run fits according to their plans, in one clause, or "no option
// makes it smaller".
std::string remedies(const TrainOptions& options, const ModelConfig& config, const MemoryFit& fit);

}  // namespace galore
