// One trainable weight with all its optimizer state.
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
#include "optim/methods/method_kind.h"
#include "optim/optimizer_options.h"
#include "optim/ownership.h"
#include "optim/weight_answer.h"

namespace galore {

struct WeightState {
  // `targeted` means that the weight is projected if its method projects. `num_layers` is the model's number
  // of layers. `place` says how much of the state this process has. All three references must outlive this
  // object.
  WeightState(Parameter& parameter, const OptimizerOptions& options, bool targeted, int64_t num_layers,
              Workspace& workspace, const StatePlace& place = {});
  WeightState(const WeightState&) = delete;
  WeightState& operator=(const WeightState&) = delete;

  // Attaches the gradient buffer to the parameter. The buffer calls `on_complete` once per update.
  void attach(Workspace& workspace, std::function<void()> on_complete);

  // Decides how the update after `updates` others forms the gradient. The form follows from the whole update
  // and not from the share of this process, because other forms have other bits. The caller sets `refresh` in
  // the result.
  GradientBuffer::Update plan_update(const UpdateShare& share, int64_t updates);

  // Returns true if decay is added to the gradient and the basis is taken from the sum, which is known only
  // after clipping.
  bool decay_belongs_to_basis() const;
  // Returns true if a full gradient is projected as soon as it is complete, with a new basis taken from it if
  // one is due, so that it need not outlive its weight's backward pass. Layer-wise mode always does this.
  bool projects_at_once() const;
  // Returns true if the gradient times `factor` and its squares are finite in fp32. Rules square gradients in
  // fp32, and an infinite second moment would never go away.
  bool gradient_is_finite(double factor = 1) const;
  // Makes the method's state anew if the parameter has got other sizes. The averages keep the elements that
  // both sizes have, and counts go on. A method with a basis is an Error.
  void follow_sizes(Workspace& workspace);
  // Returns true if the method is used for this weight, and not its rule alone.
  bool has_method() const;
  // Returns true if the weight has a basis that is refreshed from time to time, at its owner at least.
  bool has_basis() const { return place.has_basis || subspace(); }
  // Returns the basis that is refreshed from time to time, or null.
  Subspace* subspace() const { return method->subspace(); }
  RandomStream stream(const char* purpose, int64_t update) const;

  void visit(StateVisitor& visitor);

  Parameter& parameter;
  const OptimizerOptions& options;
  const OptimizerSettings& settings;  // the override's settings if one matches
  double learning_rate_factor = 1, weight_decay = 0;
  StatePlace place;
  std::unique_ptr<Method> method;  // elsewhere than at the owner: a follower (ownership.h)
  at::Tensor master;               // an fp32 copy of the weight, or undefined
  std::unique_ptr<LazyLift> lazy;  // or null
  std::unique_ptr<GradientBuffer> gradient;
  std::optional<SinkBinding> binding;  // attaches `gradient`
  int64_t step = 0;                    // number of updates of this weight

  // These members describe the current update.
  bool refresh_due = false;
  bool forms_low_rank = false;  // no full gradient is formed
  double squared_norm = 0;
  WeightAnswer answer;  // of the owner to the other processes

 private:
  WeightState(Parameter& parameter, const OptimizerOptions& options, const WeightOverride* own);
  bool has_master() const;
  void copy_to_master(Ledger& ledger);
  std::unique_ptr<LazyLift> make_lazy_lift(Ledger& ledger) const;
  bool refreshes_by_products(int64_t micro_batches) const;
  bool may_form_low_rank(int64_t micro_batches) const;

  MethodWeight described_;  // from which the method was made
};

}  // namespace galore
