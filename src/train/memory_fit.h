// Whether a run fits the memory at hand, said before anything is allocated; and the batch size that does.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/memory_at_hand.h"
#include "train/memory_plan.h"
#include "train/train_options.h"

namespace galore {

struct MemoryFit {
  MemoryPlan plan;
  MemoryAtHand at_hand;
  int64_t program = 0;    // that the plan does not count (memory_plan.h)
  int64_t libraries = 0;  // of the program's (memory_libraries.h)
  int64_t need() const { return plan.total() + program; }
  bool fits() const { return need() <= at_hand.bytes; }
};

Workload workload_of(const TrainOptions& options);
// memory_limit, or else the system's limits. The libraries' measured part does not count as held.
MemoryAtHand memory_at_hand(const TrainOptions& options, at::Device device);
// What a stream of data keeps in the memory that the run computes in; 0 without one.
int64_t data_bytes(const TrainOptions& options);
MemoryFit plan_fit(const TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand);

struct BatchSize {
  int64_t rows, micro_batches;
  std::string text() const;  // as options
};
// Those with the rows of an update that the options say, from theirs downwards: the update stays the same but
// for rounding.
std::vector<BatchSize> equal_batches(const TrainOptions& options);
void set_batch_size(TrainOptions& options, const BatchSize& size);

using Say = std::function<void(const std::string&)>;

// auto_find_batch_size: sets the first of equal_batches() that fits, and says so. A resumed run, whose
// checkpoint's configuration is `before`, keeps the checkpoint's choice if that is among them and fits: it
// goes on to the bit.
void find_batch_size(TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand,
                     const std::map<std::string, std::string>& before, const Say& say);
// The same if the options ask for it; what does not fit then is an Error that says what to change, unless
// memory_check is off.
MemoryFit require_fit(TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand,
                      const std::map<std::string, std::string>& before, const Say& say);

// "fits: it needs 345.92 MiB, at hand are 22.00 GiB (physical memory that is available)"
std::string describe(const MemoryFit& fit);

// What to change for a run that does not fit, by plan: in one clause, or "no option makes it smaller".
std::string remedies(const TrainOptions& options, const ModelConfig& config, const MemoryFit& fit);

}  // namespace galore
