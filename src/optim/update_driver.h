// Runs an update over all weights: it decides how gradients are formed, notices when they are complete, clips
// them, and calls methods and writes weights in order.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/collective.h"
#include "core/memory.h"
#include "core/state_visitor.h"
#include "optim/update_report.h"
#include "optim/weight_state.h"
#include "optim/weight_writer.h"

namespace galore {

class UpdateDriver {
 public:
  using Weights = std::vector<std::unique_ptr<WeightState>>;

  // Attaches the driver to the weights. The references must outlive the driver.
  UpdateDriver(const OptimizerOptions& options, Weights weights, Workspace& workspace,
               Collective& collective);
  UpdateDriver(const UpdateDriver&) = delete;
  UpdateDriver& operator=(const UpdateDriver&) = delete;

  // begin() and finish() work as Optimizer::begin_update() and finish_update().
  void begin(double learning_rate, const UpdateShare& share);
  UpdateReport finish(bool discard);

  const Weights& weights() const { return weights_; }
  int64_t num_updates() const { return num_updates_; }
  void visit(StateVisitor& visitor);

 private:
  void stagger_refreshes();
  // Called when the share of this process is complete. Its sum over the processes is exchanged while the
  // backward pass goes on.
  void complete(WeightState& weight);
  // Waits until the gradient is summed over the processes, for the weights that were first to be complete.
  void receive();
  void receive_all();
  // Called when the gradient is complete.
  void arrive(WeightState& weight);
  void project_at_once(WeightState& weight);
  void refresh(WeightState& weight, const GradientOperator& gradient);
  void apply(WeightState& weight, double clip_factor);
  bool write_in_one_pass(WeightState& weight, double clip_factor);
  void write(WeightState& weight, double clip_factor);
  Direction direction_of(WeightState& weight, at::Tensor gradient);
  double clip_factor_for(double norm) const;
  double layerwise_clip_factor(const WeightState& weight) const;
  void add_notice(const WeightState& weight, const std::string& notice);
  void report_notices();
  void report_mean_rank();

  const OptimizerOptions& options_;
  Collective& collective_;
  Weights weights_;
  WeightWriter writer_;
  int64_t num_updates_ = 0;
  double previous_norm_ = 0;          // 0: none yet
  std::deque<WeightState*> awaited_;  // weights with sums that are not finished, in the order of their begin
  UpdateReport report_;
  std::vector<std::pair<std::string, std::string>> notices_;  // pairs of parameter and text
};

}  // namespace galore
