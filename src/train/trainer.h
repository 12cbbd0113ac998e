// The training loop: batches, updates, evaluation, checkpoints, log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/files.h"
#include "models/causal_lm.h"
#include "report/step_metrics.h"
#include "train/evaluation.h"
#include "train/run_hooks.h"
#include "train/train_options.h"

namespace galore {

class TrainingLoop;

struct TrainResult {
  int64_t steps = 0, tokens_seen = 0;
  double seconds = 0, tokens_per_second = 0, last_loss = 0;
  std::optional<Evaluation> evaluation;
  std::optional<double> best_metric;  // by metric_for_best_model, at best_step
  int64_t best_step = -1;
  int64_t peak_memory_bytes = 0, planned_bytes = 0, program_bytes = 0, library_bytes = 0;
  Path output_dir;
  int signal = 0;  // the signal that ended the run after a checkpoint; 0: the run is complete
};

class Trainer {
 public:
  using MakeModel =
      std::function<std::unique_ptr<TrainableModel>(const ModelConfig&, const ModelOptions&, Ledger&)>;
  using TakeLine = galore::TakeLine;

  // `options` must be resolved, and `notes` must be the result of resolve(). `make_model` may return another
  // model than that of the configuration's model_type. Lines for people go to `take_line` or, if that is
  // null, to stderr. If the constructor throws, output_dir stays unchanged. Each of several processes makes a
  // trainer with the same options, which hold its number (SharingOptions), and with its collective; only the
  // first one writes files.
  Trainer(const TrainOptions& options, const std::vector<std::string>& notes,
          const MakeModel& make_model = galore::make_model, const TakeLine& take_line = {},
          Collective& collective = single_process());
  // Reports to `hooks`, which may also stop run().
  Trainer(const TrainOptions& options, const std::vector<std::string>& notes, const MakeModel& make_model,
          const RunHooks& hooks, Collective& collective = single_process());
  // For programs that still pass the text of the options, which the options themselves hold.
  [[deprecated("leave out the configuration")]] Trainer(
      const TrainOptions& options, const std::vector<std::pair<std::string, std::string>>& /*configuration*/,
      const std::vector<std::string>& notes, const MakeModel& make_model = galore::make_model,
      const TakeLine& take_line = {})
      : Trainer(options, notes, make_model, take_line) {}
  ~Trainer();

  // Runs all updates. Signals that ask for an end (signals.h), or RunHooks::stop, save a checkpoint and end
  // the run. An error of data, evaluation or disk after the first update saves a checkpoint, too, before it
  // is thrown; so do the functions below.
  TrainResult run();

  // The caller may write its own loop, with the same files to the bit; the caller then handles signals:
  //   while (!trainer.done()) trainer.step();
  //   trainer.finish();
  bool done() const;
  // Runs one update, then the evaluation and the checkpoint that the options ask for after it. The returned
  // loss is the mean since the last logged update; with logging_steps=1 it is the loss of this update.
  const StepMetrics& step();
  // Evaluates now over eval_file. It is an Error if there is none.
  Evaluation evaluate();
  // Writes checkpoint-<step> now, from which resume_from_checkpoint continues, and returns its path.
  Path save();
  // Runs the last evaluation and saves the last checkpoint, if the options ask for them, and writes the model
  // into output_dir.
  TrainResult finish();
  TrainableModel& model();

 private:
  std::unique_ptr<TrainingLoop> loop_;
};

}  // namespace galore
