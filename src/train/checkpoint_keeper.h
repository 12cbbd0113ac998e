// A run's checkpoints: which one it resumes, which one is the best, and which ones are kept.
#pragma once

#include <optional>
#include <string>

#include "core/metric.h"
#include "train/evaluation.h"
#include "train/output_folder.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/train_options.h"

namespace galore {

class CheckpointKeeper {
 public:
  // `best_by` chooses the best checkpoint. Finds the checkpoint that resume_from_checkpoint asks for, and
  // claims output_dir for this run (output_folder.h).
  CheckpointKeeper(const EventOptions& options, const MetricKind& best_by);

  bool resumes() const { return resumed_.has_value(); }
  // The state of the checkpoint that is resumed; without one that of a new run.
  const RunState& first_state() const { return first_state_; }
  // Loads the resumed checkpoint's weights and optimizer, after notes on what has changed: that may be why it
  // does not fit. `state` is first_state() with this run's configuration; the best evaluation is forgotten if
  // it was by another metric.
  void resume(const RunParts& parts, RunState& state, RunLog& log);
  // Removes what an earlier run left. To be called when nothing can be refused any more.
  void clear_folder(RunLog& log) const;

  // Compares the evaluation of this step with the best one; if this step is saved already, its checkpoint may
  // be the best.
  void judge(const Evaluation& evaluation, RunState& state);
  // The evaluation of this step beats those of all saved checkpoints.
  bool is_best(const RunState& state) const;
  // Writes a checkpoint and removes those beyond save_total_limit.
  Path save(const RunParts& parts, RunState& state);
  bool is_saved(const RunState& state) const { return saved_step_ == state.step; }
  // The weights of the best checkpoint, with load_best_model_at_end.
  void load_best(CausalLM& model, const RunState& state, RunLog& log) const;
  // Step of the evaluation whose metric is the best; -1: there was none.
  int64_t best_step(const RunState& state) const;

 private:
  bool is_better(double metric, const std::optional<double>& best) const;
  void adopt_best(RunState& state);

  struct Judged {
    int64_t step = -1;
    double metric = 0;
  };
  EventOptions options_;
  MetricKind best_by_;
  std::optional<Path> resumed_;
  RunState first_state_;
  OutputFolder folder_;
  int64_t saved_step_ = -1;
  Judged judged_;  // the last evaluation
};

}  // namespace galore
