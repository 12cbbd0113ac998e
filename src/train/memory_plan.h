// What a run will hold in memory, before it starts.
//
// There is no second set of formulas: the model and the optimizer are built on a ledger of the meta device
// and run two updates and an evaluation there; whatever they would allocate is counted.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/memory.h"
#include "models/causal_lm.h"
#include "optim/optimizer.h"

namespace galore {

struct Workload {
  int64_t train_rows = 8, eval_rows = 0, length = 256, micro_batches = 1;
};

struct MemoryPlan {
  std::string optimizer;
  std::array<int64_t, kNumOwners> bytes{};
  int64_t total() const;
};

MemoryPlan plan_memory(const ModelConfig& config, const ModelOptions& model,
                       const OptimizerOptions& optimizer, const Workload& workload);

// Resident memory of the program and its libraries, which no plan counts: measured, see bench/runs.
inline constexpr int64_t kProgramBytes = int64_t{230} << 20;

// Rows by owner, one column a plan, in binary units, and the saving of the first against the last.
std::string format_plans(const std::vector<MemoryPlan>& plans);
// What the GaLore paper states for a model of this name (weights and optimizer states), or "".
std::string published_memory(const std::string& model_size);

}  // namespace galore
