// The state of a run between two updates, and its checkpoints. A run that resumes from a checkpoint computes
// the same updates as one that was never interrupted.
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

class TargetNetwork;

// The sum of losses since the last log line, for the mean in the next line.
struct LossWindow {
  double sum = 0;  // sum of finite losses
  int64_t updates = 0, skipped = 0;
};

struct RunState {
  int64_t step = 0, max_steps = 0, tokens_seen = 0;
  double epoch = 0;
  DataPosition data;
  DataFingerprint data_fingerprint;  // unknown in checkpoints of earlier versions
  // The best metric of all evaluations, and the best metric of evaluations with a saved checkpoint, which is
  // stored with its path.
  std::optional<double> best_metric, best_checkpoint_metric;
  std::string best_checkpoint;
  std::map<std::string, double> mixture;  // the state of the mixture (mixtures/mixture_run.h)
  LossWindow window;
  SpikeGuard spikes;
  int64_t threads = 0;  // number of computing threads; 0: unknown
  std::vector<LogEntry> history;
  std::map<std::string, std::string> configuration;  // the resolved options
};

struct RunParts {
  TrainableModel& model;
  Optimizer* optimizer;        // null: saves only the weights
  const Tokenizer* tokenizer;  // may be null
  at::ScalarType dtype;
  std::string base = "";  // the directory of the model that an adapter belongs to
  TargetNetwork* target = nullptr;
  Path chat_template = {};  // a file with the template of the run, or empty: the tokenizer's
};

// Writes output_dir/checkpoint-<step> and returns its path. `optimizer` has visited the optimizer of `parts`,
// if there is one.
Path save_checkpoint(const Path& output_dir, const RunParts& parts, const RunState& state,
                     const StateWriter& optimizer);
// Writes the model and the tokenizer's files into a folder that transformers loads.
void save_final_model(const Path& directory, const RunParts& parts);

// Finds the checkpoint that resume_from_checkpoint asks for. The option is a path, "true" (the latest, which
// must exist), "auto" (the latest, if there is one), or "" or "false" (none).
std::optional<Path> checkpoint_to_resume(const std::string& resume_from, const Path& output_dir);
// Reads the counters of a checkpoint. A checkpoint without optimizer state cannot be resumed and is an Error.
RunState read_run_state(const Path& checkpoint);
// Loads the weights, or those of the model's adapter alone if the checkpoint has no others. Quantized weights
// get their exact codes if the checkpoint holds optimizer state.
void load_model(const Path& checkpoint, TrainableModel& model);
// Loads weights, as load_model() does, and optimizer state.
void load_checkpoint(const Path& checkpoint, const RunParts& parts);
// Returns one line for each option whose value has changed.
std::vector<std::string> changed_options(const std::map<std::string, std::string>& before,
                                         const std::map<std::string, std::string>& now);

}  // namespace galore
