// Does the work of a Trainer (trainer.h): it directs the parts of a run, which have headers of their own, in
// the right order.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/lost_process.h"
#include "data/batch_source.h"
#include "mixtures/mixture_run.h"
#include "tasks/task.h"
#include "train/checkpoint_keeper.h"
#include "train/distribution.h"
#include "train/memory_fit.h"
#include "train/run_builder.h"
#include "train/run_recorder.h"
#include "train/trainer.h"

namespace galore {

// The inputs of a run and the properties of its model.
struct RunInputs {
  const Task& task;
  ModelConfig config;
  ModelOptions model_options;
  at::Device device;
  std::shared_ptr<Tokenizer> tokenizer;  // null if the data are token ids
  std::unique_ptr<BatchSource> train_data;
  EvalData eval_data;  // empty: nothing is evaluated
};

// The memory plan of a run, and the plan of AdamW with the same model and batches for comparison.
struct RunMemory {
  MemoryFit fit;
  MemoryPlan adamw;
  int64_t program_bytes = 0;  // memory of the program and its libraries when the plan was announced
};

class TrainingLoop {
 public:
  // Takes the arguments of Trainer's constructor. It is defined in trainer_setup.cpp.
  TrainingLoop(const TrainOptions& options, const std::vector<std::string>& notes,
               const MakeModel& make_model, const RunHooks& hooks, Collective& collective);

  TrainResult run();
  const StepMetrics& step();
  TrainResult finish();
  Evaluation evaluate();
  Path save();
  bool done() const { return stopped_early_ || state_.step >= state_.max_steps; }
  TrainableModel& model() { return *run_.model; }

 private:
  using Configuration = std::vector<std::pair<std::string, std::string>>;

  // Call this before the data are opened, because preparing them may take hours.
  void require_memory();
  void open_data();
  void compare_data();
  int64_t steps_up_to(int64_t last_row) const;
  void plan_steps();
  void plan_adamw();
  void announce(const Configuration& configuration, const std::vector<std::string>& notes);
  void announce_memory();
  void prepare_model(const MakeModel& make_model);
  void prepare_mixture();
  void start_adapter();
  void check_optimizer() const;
  void announce_model();

  // The result of an update.
  struct Outcome {
    double loss = std::numeric_limits<double>::quiet_NaN();
    bool accepted = false;  // false if the update was skipped
    UpdateReport report = {};
  };
  struct LastEvaluation {
    std::optional<Evaluation> result;
    int64_t step = -1;
  };

  // Runs a part of the run. If it fails, the updates since the last checkpoint are saved before the error
  // goes on.
  template <typename Part>
  auto keeping_work(const Part& part) {
    try {
      return part();
    } catch (const LostProcess& lost) {
      save_work();
      tell_lost(lost);
    } catch (...) {
      save_work();
      throw;
    }
  }
  void save_work();
  // Throws `lost` again with what is kept of the run.
  [[noreturn]] void tell_lost(const LostProcess& lost) const;
  // Returns the signal, or the number in RunHooks::stop, that asks the run to stop, or 0. All processes
  // return the same one.
  int signal_received() const;
  void advance();
  void train_one_update();
  std::vector<Batch> next_batches();
  // The micro-batches of an update that this process computes, and the sums over all processes.
  struct UpdateData {
    std::vector<Batch> batches;
    UpdateShare share;
    int64_t targets = 0, positions = 0;
  };
  UpdateData next_update();
  Outcome update_weights(const UpdateData& data, double rate);
  void update_mixture(const std::vector<Batch>& batches, double rate);
  // Gives all processes the weights that the first one has learned. Unlike processors round measurements
  // differently, and then the processes would draw other rows.
  void agree_on_mixture();
  void judge_left_out(const UpdateReport& report);
  void tell(const Outcome& outcome, int64_t targets);
  LossSum train_batches(const UpdateData& data);
  LossSum add_losses(const std::vector<LossSum>& own) const;
  void tell_skipped(double loss, const UpdateReport& report);
  void evaluate_at_start();
  void evaluate_and_note();
  void after_update();
  void after_training();
  void require_finite_weights(int64_t step);
  void require_counted_labels() const;
  [[noreturn]] void stop(int64_t step, const std::string& reason);
  bool is_due(double every, const std::string& strategy) const;
  TrainResult conclude(int signal);
  RunParts parts(bool with_optimizer);

  TrainOptions options_;
  Collective& collective_;
  const std::atomic<int>* stop_;  // null: signals stop the run
  RunInputs inputs_;
  RunRecorder recorder_;
  CheckpointKeeper keeper_;
  RunState state_;
  RunMemory memory_;
  RunObjects run_;
  std::unique_ptr<MixtureRun> mixture_;  // null: the data are no mixture
  std::unique_ptr<Schedule> schedule_;
  LastEvaluation evaluated_;
  double previous_epoch_ = 0;
  double started_ = 0;  // begins with the first update; 0: not yet
  // False while the weights are not those of state_, and when they or their losses are not finite.
  bool savable_ = true;
  bool stopped_early_ = false;
};

}  // namespace galore
