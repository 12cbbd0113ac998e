// A run's checkpoints: everything that makes the next update the same as if nothing had happened.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/state_files.h"
#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "optim/optimizer.h"
#include "tokenizer/tokenizer.h"
#include "train/spike_guard.h"

namespace galore {

// What the next log line averages.
struct LossWindow {
  double sum = 0;  // of the losses that are finite
  int64_t updates = 0, skipped = 0;
};

struct RunState {
  int64_t step = 0, max_steps = 0, tokens_seen = 0;
  double epoch = 0;
  DataPosition data;
  // The best evaluation of all, and of those at whose step a checkpoint was saved: that checkpoint.
  std::optional<double> best_metric, best_checkpoint_metric;
  std::string best_checkpoint;
  LossWindow window;
  SpikeGuard spikes;
  int64_t threads = 0;  // that computed; 0: unknown
  std::vector<LogEntry> history;
  std::map<std::string, std::string> configuration;  // the resolved options
};

struct RunParts {
  CausalLM& model;
  Optimizer* optimizer;        // null: weights only
  const Tokenizer* tokenizer;  // may be null
  at::ScalarType dtype;
};

// Writes output_dir/checkpoint-<step> and returns its path.
Path save_checkpoint(const Path& output_dir, const RunParts& parts, const RunState& state);
// Writes the model and the tokenizer's files into a folder that transformers loads.
void save_final_model(const Path& directory, const RunParts& parts);

// Which checkpoint resume_from_checkpoint asks for: a path, "true" (the latest must exist), "auto" (if there
// is one) or "" / "false".
std::optional<Path> checkpoint_to_resume(const std::string& resume_from, const Path& output_dir);
// The counters alone. A checkpoint without optimizer state is an Error: it cannot be resumed.
RunState read_run_state(const Path& checkpoint);
// The weights; those in codes exactly as they were, if the checkpoint has its optimizer's state.
void load_model(const Path& checkpoint, const ParameterList& parameters);
// Weights and optimizer.
void load_checkpoint(const Path& checkpoint, const RunParts& parts);
// One line for each option that differs from the checkpoint's.
std::vector<std::string> changed_options(const std::map<std::string, std::string>& before,
                                         const std::map<std::string, std::string>& now);

}  // namespace galore
