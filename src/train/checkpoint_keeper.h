// Manages a run's checkpoints: the one that is resumed, the best one, and the ones that are kept.
#pragma once

#include <optional>
#include <string>

#include "core/collective.h"
#include "core/metric.h"
#include "train/evaluation.h"
#include "train/output_folder.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/train_options.h"

namespace galore {

class CheckpointKeeper {
 public:
  // `best_by` is the metric that chooses the best checkpoint. The constructor finds the checkpoint that
  // resume_from_checkpoint asks for, and claims output_dir for this run (output_folder.h). Of several
  // processes, the first one does this work and the others follow.
  CheckpointKeeper(const EventOptions& options, const MetricKind& best_by, Collective& collective);

  bool resumes() const { return resumed_.has_value(); }
  // Returns the state of the resumed checkpoint, or the state of a new run.
  const RunState& first_state() const { return first_state_; }
  // Loads the resumed checkpoint's weights and optimizer. Notes on changed options come first, because they
  // may explain why the checkpoint does not fit. `state` is first_state() with this run's configuration; the
  // best evaluation is forgotten if it was by another metric.
  void resume(const RunParts& parts, RunState& state, RunLog& log);
  // Removes the files of an earlier run. Call it only after all checks have passed.
  void clear_folder(RunLog& log) const;

  // Compares the evaluation of this step with the best one. If this step is saved already, its checkpoint may
  // become the best.
  void judge(const Evaluation& evaluation, RunState& state);
  // Returns true when the evaluation of this step is better than those of all saved checkpoints.
  bool is_best(const RunState& state) const;
  // Writes a checkpoint and removes those beyond save_total_limit. `collective` says who waits for it.
  Path save(const RunParts& parts, RunState& state, Collective& collective);
  bool is_saved(const RunState& state) const { return saved_step_ == state.step; }
  // Loads the weights of the best checkpoint if load_best_model_at_end is set.
  void load_best(TrainableModel& model, const RunState& state, RunLog& log) const;
  // Returns true if early_stopping_patience evaluations in a row were not better than the best one before
  // them by more than early_stopping_threshold, as transformers' EarlyStoppingCallback counts.
  bool ran_out_of_patience(const RunState& state) const;
  // Returns the step of the evaluation with the best metric, or -1 if there was none.
  int64_t best_step(const RunState& state) const;

 private:
  bool is_better(double metric, const std::optional<double>& best) const;
  // Calls visit(step, metric) for the metric of each evaluation so far, in order.
  template <typename Visit>
  void visit_metrics(const RunState& state, const Visit& visit) const;
  void adopt_best(RunState& state);

  struct Judged {
    int64_t step = -1;
    double metric = 0;
  };
  EventOptions options_;
  MetricKind best_by_;
  std::optional<Path> resumed_;
  RunState first_state_;
  std::optional<OutputFolder> folder_;  // of the first process
  int64_t saved_step_ = -1;
  Judged judged_;  // the last evaluation
};

}  // namespace galore
