// Plans the memory of a run before it starts.
//
// The plan has no formulas of its own: the model and the optimizer are built on a ledger of the meta device
// and run two updates and an evaluation there, and everything they would allocate is counted.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/memory.h"
#include "mixtures/learning_options.h"
#include "models/causal_lm.h"
#include "optim/optimizer.h"
#include "train/memory_libraries.h"
#include "train/target_options.h"

namespace galore {

struct Workload {
  int64_t train_rows = 8, eval_rows = 0, length = 256, micro_batches = 1;
  std::string task = "causal_lm", task_name = "";
  TargetOptions target = {};
  UpdateShare share = {.micro_batches = 1};  // of several processes or groups; else micro_batches counts
  LearningOptions learning = {};
  int64_t num_sources = 0, measured_rows = 0;  // of a mixture that learns its weights
};

struct MemoryPlan {
  std::string optimizer;
  std::array<int64_t, kNumOwners> bytes{};
  LibraryUse libraries;
  // If there are several processes, the plan is for the one that needs most memory.
  int64_t processes = 1;
  // The bytes that each process sends in an update without refreshes, and on average with them.
  std::vector<int64_t> sent = {0}, sent_mean = {0};
  std::vector<int64_t> states = {0};  // the bytes of the optimizer's moments and other state in each process
  int64_t all_states = 0;             // in one process that has all of them
  int64_t trained = 0;                // the numbers of all trained weights, which DDP would sum
  int64_t total() const;
  int64_t most_sent() const;  // by any process
  int64_t most_sent_mean() const;
  // Returns weights, their copies, moments and bases, which the papers count.
  int64_t weights_and_states() const;
};

MemoryPlan plan_memory(const ModelConfig& config, const ModelOptions& model,
                       const OptimizerOptions& optimizer, const Workload& workload);

// The memory of the program and its libraries, which no plan counts: the resident memory now (pages of the
// program and of libtorch, tokenizer, data) without the libraries' measured part, and library_bytes().
int64_t program_bytes(const MemoryPlan& plan, int64_t resident = resident_bytes());

// Returns the bytes that a process sends in an update for sums of this many numbers, which all receive.
int64_t sent_bytes(int64_t numbers, const UpdateShare& share);
// Returns the bytes that PyTorch's DDP would send in fp32 for all trained weights of a plan.
int64_t ddp_bytes(const MemoryPlan& plan, int64_t processes);
// Returns a line about the traffic of several processes.
std::string describe_traffic(const MemoryPlan& plan);
// Returns a line about the optimizer's state in several processes.
std::string describe_states(const MemoryPlan& plan);

// Formats rows by owner, with one column for each plan, in binary units, and each plan's saving against
// AdamW's plan or, without one, against the last plan.
std::string format_plans(const std::vector<MemoryPlan>& plans);
// Returns the GaLore paper's figures for a model of this name (weights and optimizer states), compared with
// the plans' bytes of the same owners, or "".
std::string published_memory(const std::string& model_size, const std::vector<MemoryPlan>& plans);

}  // namespace galore
