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
  std::string task = "causal_lm";
};

struct MemoryPlan {
  std::string optimizer;
  std::array<int64_t, kNumOwners> bytes{};
  int64_t total() const;
  // Weights, their copies, moments and bases: what the papers count.
  int64_t weights_and_states() const;
};

MemoryPlan plan_memory(const ModelConfig& config, const ModelOptions& model,
                       const OptimizerOptions& optimizer, const Workload& workload);

// Measured growth beyond the plan over a run (bench/runs has the figures): stacks of the threads, generated
// code and packing buffers of the matrix products; and the pages that a decomposition brings in, where bases
// are computed: fewer on Intel's processors, for which MKL has other kernels.
int64_t library_growth_bytes(bool computes_bases);
// What the program and its libraries take, which no plan counts: resident memory at the moment of asking (the
// tensor library's own pages, tokenizer, data), and the growth that the plan's run will bring.
int64_t program_bytes(const MemoryPlan& plan, int64_t resident = resident_bytes());

// Rows by owner, one column a plan, in binary units, and what each saves against AdamW's, or else the last
// one's.
std::string format_plans(const std::vector<MemoryPlan>& plans);
// What the GaLore paper states for a model of this name (weights and optimizer states), beside the plans'
// bytes of the same things; or "".
std::string published_memory(const std::string& model_size, const std::vector<MemoryPlan>& plans);

}  // namespace galore
