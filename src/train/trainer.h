// The training loop: batches, updates, evaluation, checkpoints, log.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/evaluation.h"
#include "train/inputs.h"
#include "train/memory_fit.h"
#include "train/output_folder.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/train_options.h"

namespace galore {

struct TrainResult {
  int64_t steps = 0, tokens_seen = 0;
  double seconds = 0, tokens_per_second = 0, last_loss = 0;
  std::optional<Evaluation> evaluation;
  std::optional<double> best_metric;  // by metric_for_best_model; of best_step
  int64_t best_step = -1;
  int64_t peak_memory_bytes = 0, planned_bytes = 0, program_bytes = 0, library_bytes = 0;
  Path output_dir;
  int signal = 0;  // the run ended because of it, after a checkpoint; 0: it is done
};

class Trainer {
 public:
  using Configuration = std::vector<std::pair<std::string, std::string>>;
  using MakeModel =
      std::function<std::unique_ptr<CausalLM>(const ModelConfig&, const ModelOptions&, Ledger&)>;
  // `options` are resolved; `configuration` is their text, `notes` what resolving said. Another model than
  // that of the configuration's model_type comes from `make_model`. Until the constructor has succeeded,
  // what an earlier run left in output_dir is as it was. Lines for people go to `take_line` (null: to
  // stderr).
  Trainer(const TrainOptions& options, Configuration configuration, const std::vector<std::string>& notes,
          const MakeModel& make_model = make_causal_lm, const TakeLine& take_line = {});

  // All of it. SIGINT and SIGTERM save a checkpoint and end it.
  TrainResult run();

  // Or in the caller's own loop, with the same files to the bit; signals are then the caller's:
  //   while (!trainer.done()) trainer.step();
  //   trainer.finish();
  bool done() const { return state_.step >= options_.max_steps; }
  // One update, then the evaluation and the checkpoint that the options ask for after it. The loss is the
  // mean since the last update that logging_steps asked to be logged: of this update alone with
  // logging_steps=1.
  const StepMetrics& step();
  // Now, over eval_file; without one it is an Error.
  Evaluation evaluate();
  // Writes checkpoint-<step> now, where resume_from_checkpoint goes on, and returns its path.
  Path save();
  // The last evaluation and checkpoint, as the options ask, and the model into output_dir.
  TrainResult finish();
  CausalLM& model() { return *model_; }

 private:
  // Before the data are opened: preparing them may take hours.
  void require_memory();
  void open_data();
  void plan_steps();
  void announce(const std::vector<std::string>& notes);
  void prepare_model(const MakeModel& make_model);
  void resume(const RunState& saved);

  void train_one_update();
  std::vector<Batch> next_batches();
  LossSum train_batches(const std::vector<Batch>& batches, int64_t targets);
  void tell_dropout();
  void tell_skipped(double loss, const UpdateReport& report);
  void record(double loss, bool accepted, const UpdateReport& report, int64_t tokens, double seconds);
  void measure(const UpdateReport& report);
  void note_refreshes(const UpdateReport& report);
  void tell_refreshes();
  void evaluate_at_start();
  void evaluate_and_note();
  double metric_of(const Evaluation& result) const;
  // The evaluation of this step beats those of all saved checkpoints.
  bool is_best() const;
  void adopt_best();
  // training_loss.svg, of the whole run.
  void draw_losses() const;
  void save_result();
  void after_update();
  void after_training();
  void require_finite_weights(int64_t step);
  [[noreturn]] void stop(int64_t step, const std::string& reason);
  bool is_due(double every, const std::string& strategy) const;
  bool epoch_ended() const {
    return static_cast<int64_t>(state_.epoch) > static_cast<int64_t>(previous_epoch_);
  }
  int64_t best_step() const;
  TrainResult conclude(int signal);
  RunParts parts(bool with_optimizer);
  int64_t steps_of(double count) const;

  TrainOptions options_;
  Configuration configuration_;
  ModelConfig config_;
  ModelOptions model_options_;
  at::Device device_;
  RunLog log_;
  std::shared_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<BatchSource> train_data_, eval_data_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<CausalLM> model_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::optional<Path> resumed_;
  std::unique_ptr<OutputFolder> output_;
  RunState state_;
  MemoryFit memory_;
  int64_t program_bytes_ = 0;
  double peak_ = 0, previous_epoch_ = 0;
  std::optional<Evaluation> last_evaluation_;
  int64_t evaluated_step_ = -1, saved_step_ = -1;
  double started_ = 0;  // with the first update; 0: not yet
  StepMetrics metrics_;
  nlohmann::ordered_json refreshed_;  // since the last log line: kind -> parameter -> value
  struct Timings {
    double seconds = 0, optimizer = 0, refresh = 0, data = 0;
    int64_t tokens = 0;
  } timings_;  // since the last log line
  double training_seconds_ = 0;
  int64_t trained_tokens_ = 0;
};

}  // namespace galore
