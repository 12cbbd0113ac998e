// Records the course of a run: in the log, in its history, and as numbers that a caller reads.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "core/collective.h"
#include "optim/optimizer.h"
#include "train/evaluation.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/train_options.h"

namespace galore {

// A finished update.
struct FinishedUpdate {
  double loss = 0;
  bool accepted = true;  // false if it was skipped
  const UpdateReport& report;
  int64_t tokens = 0;  // positions computed, padding included
  double learning_rate = 0, seconds = 0;
  std::function<nlohmann::ordered_json()> mixture = {};  // returns the fields of the mixture's event
  Traffic traffic = {};
};

class RunRecorder {
 public:
  // Without files nothing is written into output_dir.
  RunRecorder(const EventOptions& options, const std::vector<MetricKind>& metrics, const RunHooks& hooks,
              bool has_files = true);

  RunLog& log() { return log_; }
  // Sets the reference for speed: `product_rate` operations per second, with `operations_per_token` for each
  // token.
  void set_speed_of(double operations_per_token, double product_rate, at::Device device);
  // Tells that this process is one of `processes`, and how many bytes DDP would send in an update.
  void set_processes(int64_t processes, int64_t ddp_bytes);
  void add_data_seconds(double seconds) { timings_.data += seconds; }

  // Adds the update to the state's window and history, and logs it if logging_steps asks for it. `state` is
  // the state after the update.
  void record(const FinishedUpdate& update, RunState& state);
  void record(const Evaluation& evaluation, RunState& state);
  // Refreshes are logged with logged updates, because some users refresh in every update, and before a
  // checkpoint, because a resumed run would not know about earlier refreshes.
  void tell_refreshes(int64_t step);
  // Draws training_loss.svg for the whole run.
  void draw_losses(const RunState& state) const;

  const StepMetrics& metrics() const { return metrics_; }
  // Returns the speed over all updates since the trainer was made, or 0 before the first update.
  double tokens_per_second() const;

 private:
  void add(const FinishedUpdate& update, LossWindow& window);
  void measure(const FinishedUpdate& update, const RunState& state);
  void note_refreshes(const UpdateReport& report);
  bool is_logged(const RunState& state) const;

  struct Timings {
    double seconds = 0, optimizer = 0, refresh = 0, data = 0;
    int64_t tokens = 0, updates = 0;
    Traffic traffic;
  };
  struct Speed {
    double operations_per_token = 0, product_rate = 0;
    at::Device device{at::kCPU};
  };
  EventOptions options_;
  bool has_files_;
  RunLog log_;
  Speed speed_;
  StepMetrics metrics_;
  Timings timings_, total_;           // since the last log line; over all updates
  nlohmann::ordered_json refreshed_;  // since the last log line: kind -> parameter -> value
};

}  // namespace galore
