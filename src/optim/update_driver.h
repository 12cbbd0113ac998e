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
  // Wait for the oldest sum or answer, or for all of them.
  void receive();
  void receive_all();
  void receive_beside_gradient();
  // Called when the gradient is complete, or another process has it.
  void arrive(WeightState& weight);
  void project_at_once(WeightState& weight);
  void refresh(WeightState& weight, const GradientOperator& gradient);
  void update_all(double clip_factor);
  // Makes the update of a weight, or begins to wait for its owner's answer.
  void update(WeightState& weight, double clip_factor);
  struct Decision {
    UpdateFacts facts;
    at::Tensor low_rank;
  };
  Decision decide(WeightState& weight, double clip_factor);
  at::Tensor apply(WeightState& weight, double clip_factor, UpdateFacts& facts);
  bool write_in_one_pass(WeightState& weight, double clip_factor);
  at::Tensor write(WeightState& weight, double clip_factor, UpdateFacts& facts);
  Direction direction_of(WeightState& weight, at::Tensor gradient);
  void take_answer(WeightState& weight);
  // Makes the update of a weight by its owner's answer.
  void follow(WeightState& weight, const UpdateFacts& facts);
  void report(const WeightState& weight, const UpdateFacts& facts);
  void share_norms();
  void share_notices();
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
  double previous_norm_ = 0;  // 0: none yet
  struct Awaited {
    WeightState* weight;
    bool is_answer;  // or a sum
  };
  std::deque<Awaited> awaited_;     // in the order of their begin
  std::vector<WeightState*> told_;  // weights with messages by their owners
  UpdateReport report_;
  std::vector<std::pair<std::string, std::string>> notices_;  // pairs of parameter and text
};

}  // namespace galore
