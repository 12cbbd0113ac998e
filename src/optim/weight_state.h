// One trainable weight with everything the optimizer keeps for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/memory.h"
#include "core/parameter.h"
#include "core/random.h"
#include "core/state_visitor.h"
#include "optim/gradient_buffer.h"
#include "optim/lazy_lift.h"
#include "optim/methods/method.h"
#include "optim/optimizer_options.h"

namespace galore {

struct WeightState {
  // `targeted`: the weight is projected, if its method projects. `num_layers`: of the model. All three
  // references must outlive this.
  WeightState(Parameter& parameter, const OptimizerOptions& options, bool targeted, int64_t num_layers,
              Workspace& workspace);
  WeightState(const WeightState&) = delete;
  WeightState& operator=(const WeightState&) = delete;

  // Attaches the gradient buffer to the parameter; it calls `on_complete` once an update.
  void attach(Workspace& workspace, std::function<void()> on_complete, Collective& collective);

  // Decides how this update, which follows `updates` others, forms the gradient. The result leaves `refresh`
  // to the caller.
  GradientBuffer::Update plan_update(int64_t micro_batches, int64_t updates, int num_processes);

  // Whether decay is added to the gradient and the basis is taken from the sum, which is known only after
  // clipping.
  bool decay_belongs_to_basis() const;
  // Whether a gradient that is formed in full is projected as soon as it is complete, by a basis taken from
  // it if one is due, so that it need not outlive its weight's backward pass. Layer-wise mode does so anyway.
  bool projects_at_once() const;
  // Whether the gradient times `factor` and its squares are finite in fp32, in which the rules square
  // gradients: an infinite second moment would never go away.
  bool gradient_is_finite(double factor = 1) const;
  // The basis that is refreshed now and then, or null.
  Subspace* subspace() const { return method->subspace(); }
  RandomStream stream(const char* purpose, int64_t update) const;

  void visit(StateVisitor& visitor);

  Parameter& parameter;
  const OptimizerOptions& options;
  const OptimizerSettings& settings;  // the override's, if one matches
  double learning_rate_factor = 1, weight_decay = 0;
  std::unique_ptr<Method> method;
  at::Tensor master;               // an fp32 copy, or undefined
  std::unique_ptr<LazyLift> lazy;  // or null
  std::unique_ptr<GradientBuffer> gradient;
  std::optional<SinkBinding> binding;  // of `gradient`
  int64_t step = 0;                    // updates of this weight

  // For one update:
  bool refresh_due = false;
  bool forms_low_rank = false;  // its gradient is never formed in full
  double squared_norm = 0;

 private:
  WeightState(Parameter& parameter, const OptimizerOptions& options, const WeightOverride* own);
  void copy_to_master(Ledger& ledger);
  std::unique_ptr<LazyLift> make_lazy_lift(Ledger& ledger) const;
  bool refreshes_by_products(int64_t micro_batches) const;
  bool may_form_low_rank(int64_t micro_batches, int num_processes) const;
};

}  // namespace galore
