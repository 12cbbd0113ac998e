// The training loop: batches, updates, evaluation, checkpoints, log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/evaluation.h"
#include "train/inputs.h"
#include "train/memory_plan.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/train_options.h"

namespace galore {

struct TrainResult {
  int64_t steps = 0, tokens_seen = 0;
  double seconds = 0, tokens_per_second = 0, last_loss = 0;
  std::optional<Evaluation> evaluation;
  std::optional<double> best_metric;
  int64_t peak_memory_bytes = 0, planned_bytes = 0;
  Path output_dir;
  int signal = 0;  // the run ended because of it, after a checkpoint; 0: it is done
};

class Trainer {
 public:
  using Configuration = std::vector<std::pair<std::string, std::string>>;
  // `options` are resolved; `configuration` is their text, `notes` what resolving said.
  Trainer(const TrainOptions& options, Configuration configuration, const std::vector<std::string>& notes);
  TrainResult run();

 private:
  void announce(const std::vector<std::string>& notes);
  void prepare_model();
  void resume();
  bool train_one_update();
  std::vector<Batch> next_batches();
  bool loss_is_acceptable(double loss);
  void record(double loss, const UpdateReport& report, int64_t tokens, double seconds);
  void evaluate_and_note();
  void save();
  void after_update();
  bool is_due(double every, const std::string& strategy) const;
  bool epoch_ended() const {
    return static_cast<int64_t>(state_.epoch) > static_cast<int64_t>(previous_epoch_);
  }
  TrainResult finish(double seconds, int signal);
  RunParts parts(bool with_optimizer);
  double epoch_of(const DataPosition& position) const;
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
  RunState state_;
  MemoryPlan plan_;
  double peak_ = 0, previous_epoch_ = 0;
  std::optional<Evaluation> last_evaluation_;
  StepMetrics metrics_;
  // Since the last log line.
  double logged_loss_ = 0, logged_seconds_ = 0;
  int64_t logged_updates_ = 0, logged_tokens_ = 0;
  double training_seconds_ = 0;
  int64_t trained_tokens_ = 0;
  std::vector<double> recent_losses_;
  bool saved_this_step_ = false;
};

}  // namespace galore
