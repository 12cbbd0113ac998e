// A run's checkpoints: everything that makes the next update the same as if nothing had happened.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/state_files.h"
#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "optim/optimizer.h"
#include "tokenizer/tokenizer.h"

namespace galore {

struct RunState {
  int64_t step = 0, max_steps = 0, tokens_seen = 0;
  double epoch = 0;
  DataPosition data;
  std::optional<double> best_metric;
  std::string best_checkpoint;
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
// Loads weights, optimizer and counters. A checkpoint without optimizer state is an Error.
RunState load_checkpoint(const Path& checkpoint, const RunParts& parts);
// One line for each option that differs from the checkpoint's.
std::vector<std::string> changed_options(const std::map<std::string, std::string>& before,
                                         const std::map<std::string, std::string>& now);

}  // namespace galore
