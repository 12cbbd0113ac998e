// Walks the parameters: collects their gradients, asks their methods for directions, and writes the weights.
//
// Two drivers share one apply_update. Whole-model: every gradient is kept until finish_update. Layer-wise: a
// weight is updated in the backward pass, as soon as its last use has reported, and its gradient buffer
// serves the next weight. Both accumulate over micro-batches, take one schedule step per update, know the
// true gradient norm, and give the same weights to the last bit when nothing is clipped.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/memory.h"
#include "core/parameter.h"
#include "core/state_visitor.h"
#include "kernels/apply_direction.h"
#include "optim/gradient_buffer.h"
#include "optim/lazy_lift.h"
#include "optim/optimizer_options.h"
#include "optim/parameter_groups.h"

namespace galore {

// A basis that was refreshed in an update.
struct RefreshedBasis {
  std::string parameter;
  int64_t rank = 0;
  std::optional<double> captured_energy;  // Subspace::captured_energy
};

struct UpdateReport {
  // Of the mean gradient of this update, before clipping; without weights that rest. In `projected` mode the
  // part of projected weights is the norm inside their subspaces, and `norm_is_projected` says so.
  double gradient_norm = 0;
  bool norm_is_projected = false;
  double clip_factor = 1;
  int64_t num_refreshed = 0;
  int64_t num_skipped = 0;  // parameters left alone because their gradient was not finite
  double seconds = 0;       // spent in methods and weight writing, refreshes included
  double refresh_seconds = 0;
  double mean_rank = 0;  // of the weights whose ranks are chosen; 0 where there are none
  std::vector<RefreshedBasis> refreshed;
  std::vector<std::string> notices;
};

class Optimizer {
 public:
  // Attaches a sink to every trainable parameter and detaches it when destroyed; the parameters must outlive
  // it. A parameter that is not trainable gets no sink and no state.
  Optimizer(const ParameterList& parameters, const OptimizerOptions& options, Workspace& workspace);
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Before the first micro-batch of an update. `learning_rate` holds for the whole update; one in the
  // settings is the caller's business, who has the schedule.
  void begin_update(double learning_rate, int64_t micro_batches);
  // After the last one. With `discard`, a whole-model update is dropped: weights and state stay as they were.
  // What layer-wise mode has written in the backward pass stays, but in both the update does not count: a
  // refresh that was due is due in the next one.
  UpdateReport finish_update(bool discard = false);

  int64_t num_updates() const { return num_updates_; }
  bool lifts_lazily() const;  // any of the weights
  const Grouping& grouping() const { return grouping_; }
  const OptimizerOptions& options() const { return options_; }
  // Names are "<parameter>.<part>.<tensor>": no indices, so regrouping can resume.
  void visit(StateVisitor& visitor);

 private:
  struct Slot {
    Parameter* parameter;
    const OptimizerSettings* settings;
    double learning_rate_factor;
    std::unique_ptr<Method> method;
    std::unique_ptr<LazyLift> lazy;  // or null
    std::unique_ptr<GradientBuffer> gradient;
    std::optional<SinkBinding> binding;  // of `gradient`
    at::Tensor master;                   // fp32 copy, or undefined
    double weight_decay;
    int64_t step = 0;
    bool refresh_due = false;
    bool forms_low_rank = false;  // in this update: its gradient is never formed in full
    double squared_norm = 0;
  };
  Slot make_slot(Parameter& parameter, bool targeted);
  void on_complete(Slot& slot);
  void stagger_refreshes();
  bool decay_belongs_to_basis(const Slot& slot) const;
  bool knows_exact_norm() const;
  bool may_form_low_rank(const Slot& slot, int64_t micro_batches) const;
  bool refreshes_by_products(const Slot& slot, int64_t micro_batches) const;
  bool projects_at_once(const Slot& slot) const;
  void project_at_once(Slot& slot);
  void refresh(Slot& slot, const GradientOperator& gradient);
  RandomStream refresh_stream(const Slot& slot) const;
  void add_notice(const Slot& slot, const std::string& notice);
  void report_notices();
  void report_mean_rank();
  void apply_update(Slot& slot, double clip_factor);
  void add_decay(Slot& slot, const at::Tensor& gradient);
  Direction direction_of(Slot& slot, at::Tensor gradient);
  at::Tensor full_size_buffer(const Slot& slot);
  at::Tensor dense(const Slot& slot, Direction direction);
  kernels::WeightUpdate weight_update(const Slot& slot) const;
  void add_factors(const at::Tensor& target, const Direction& direction, double factor);
  std::unique_ptr<LazyLift> make_lazy_lift(const Slot& slot);
  void take(Slot& slot, Direction direction);
  template <typename Change>
  void change_weight(Slot& slot, const Change& change);
  void write_weight(Slot& slot, kernels::WeightUpdate update, Direction direction);
  void fold(Slot& slot);
  double layerwise_clip_factor(const Slot& slot) const;
  double factor_for(double norm) const;

  OptimizerOptions options_;
  Workspace& workspace_;
  ParameterList parameters_;  // the trainable ones
  ParameterList frozen_in_codes_;
  int64_t num_layers_;
  Grouping grouping_;
  std::vector<Slot> slots_;
  int64_t num_updates_ = 0;
  double learning_rate_ = 0;
  double previous_norm_ = 0;  // 0: none yet
  UpdateReport report_;
  std::vector<std::pair<std::string, std::string>> notices_;  // parameter, what it has to say
};

}  // namespace galore
