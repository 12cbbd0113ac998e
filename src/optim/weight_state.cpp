#include "optim/weight_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/errors.h"
#include "optim/parameter_groups.h"
#include "optim/presets.h"
#include "optim/resized_state.h"
#include "optim/weight_overrides.h"

namespace galore {

WeightState::WeightState(Parameter& parameter, const OptimizerOptions& options, const WeightOverride* own)
    : parameter(parameter), options(options), settings(own ? *own->settings : *options.settings) {
  const double decay = own && settings.weight_decay >= 0 ? settings.weight_decay : options.weight_decay;
  if (own) learning_rate_factor = own->learning_rate_factor;
  if (options.learning_rate_factor) learning_rate_factor *= options.learning_rate_factor(parameter);
  if (options.decay_all || is_matrix(parameter)) weight_decay = decay;
}

WeightState::WeightState(Parameter& parameter, const OptimizerOptions& options, bool targeted,
                         int64_t num_layers, Workspace& workspace, const StatePlace& at)
    : WeightState(parameter, options, find_override(options, parameter)) {
  place = at;
  const bool by_pattern = &settings != &*options.settings && !options.choices.count(parameter.name);
  described_ = {.name = parameter.name,
                .shape = matrix_sizes(parameter),
                .targeted = targeted || (by_pattern && is_matrix(parameter)),
                .role = parameter.role,
                .layer = parameter.layer,
                .num_layers = num_layers};
  method = place.is_here ? make_method(settings, described_, workspace)
                         : make_follower({settings, described_, workspace}, place.answer);
  if (has_master()) copy_to_master(workspace.ledger());
  lazy = make_lazy_lift(workspace.ledger());
}

bool WeightState::has_method() const {
  return settings.method && (described_.targeted || settings.method->traits().takes_every_weight);
}

// The owner sends the value that is rounded from its master weight.
bool WeightState::has_master() const {
  return options.master_weights && (place.is_here || place.answer != StatePlace::Answer::value);
}

void WeightState::copy_to_master(Ledger& ledger) {
  if (parameter.codes)
    fail_usage(
        "master_weights",
        "expected false: {} is kept in 8-bit codes and nowhere else (weight_bits=16 in optim_args: in bf16)",
        parameter.name);
  if (parameter.value.scalar_type() == at::kFloat) return;
  master = ledger.empty(Owner::master_weights, matrix_sizes(parameter), at::kFloat);
  master.copy_(parameter.value.view(master.sizes()));
}

void WeightState::follow_sizes(Workspace& workspace) {
  MethodWeight now = described_;
  now.shape = matrix_sizes(parameter);
  if (now.shape == described_.shape) return;
  if (subspace())
    fail_usage("optim", "{}: expected a method without a basis, because the layer changes its rank",
               parameter.name);
  method = resized(*method, settings, described_, now, workspace);
  described_ = now;
  if (!master.defined()) return;
  workspace.ledger().add(Owner::master_weights, -static_cast<int64_t>(master.nbytes()));
  master = workspace.ledger().empty(Owner::master_weights, now.shape, at::kFloat);
}

std::unique_ptr<LazyLift> WeightState::make_lazy_lift(Ledger& ledger) const {
  Subspace* basis = method->reads_low_rank() ? method->subspace() : nullptr;
  if (options.lift == "eager" || !basis || basis->side() == Side::both || basis->chooses_rank() ||
      !parameter.whole_products)
    return nullptr;
  const bool narrow = parameter.codes || (parameter.value.scalar_type() != at::kFloat && !master.defined());
  const auto sizes = matrix_sizes(parameter);
  if (options.lift == "auto" && (options.tokens_per_update == 0 || (narrow && weight_decay > 0) ||
                                 !lazy_lift_is_cheaper(options.tokens_per_update, sizes[0], sizes[1])))
    return nullptr;
  if (narrow && weight_decay > 0)
    fail_usage("lift", "expected eager, or weight_decay=0: decay would round {} with every update",
               parameter.name);
  return std::make_unique<LazyLift>(parameter, *basis, ledger);
}

void WeightState::attach(Workspace& workspace, std::function<void()> on_complete) {
  gradient = std::make_unique<GradientBuffer>(parameter, workspace, std::move(on_complete));
  binding.emplace(parameter, *gradient);
}

bool WeightState::decay_belongs_to_basis() const {
  return settings.decay_order == DecayOrder::coupled && weight_decay > 0;
}

// Returns true if the new basis comes from products with the gradient, so that no full gradient is formed.
bool WeightState::refreshes_by_products(int64_t micro_batches) const {
  return parameter.whole_products && (micro_batches == 1 || options.basis_gradient == "first_micro_batch") &&
         basis_kind(settings.subspace.subspace).traits.by_products && subspace()->side() != Side::both &&
         !options.may_discard && !decay_belongs_to_basis();
}

// Returns true if the gradient may be formed in the subspace. If the exact norm is needed, this holds only if
// one product gives the norm.
bool WeightState::may_form_low_rank(int64_t micro_batches) const {
  if (options.gradient != "projected" || !method->reads_low_rank()) return false;
  if (refresh_due && !refreshes_by_products(micro_batches)) return false;
  return !options.wants_exact_norm() ||
         (micro_batches == 1 && parameter.uses == 1 && parameter.whole_products);
}

bool WeightState::projects_at_once() const {
  return options.gradient == "projected" && method->reads_low_rank() && !forms_low_rank &&
         !options.layerwise && !options.may_discard && !decay_belongs_to_basis();
}

GradientBuffer::Update WeightState::plan_update(const UpdateShare& share, int64_t updates) {
  refresh_due = subspace() && subspace()->due(updates);
  squared_norm = 0;
  GradientBuffer::Update update;
  update.share = share;
  const Activity activity = method->activity(updates);
  update.ignored = activity == Activity::resting;
  if (activity == Activity::active) update.name = name_in_any_layer(parameter.name, parameter.layer);
  // With several groups no process has the only product, even if there is one micro-batch.
  forms_low_rank =
      may_form_low_rank(share.groups > 1 ? std::max<int64_t>(2, share.present()) : share.present());
  if (forms_low_rank) {
    update.subspace = subspace();
    update.exact_norm = options.wants_exact_norm();
  }
  // The sum of these gradients leaves the buffer at once.
  const bool leaves = options.layerwise || projects_at_once() || !place.is_here;
  update.shared = leaves && share.count() <= 1 && parameter.uses == 1;
  return update;
}

bool WeightState::gradient_is_finite(double factor) const {
  return std::isfinite(static_cast<float>(squared_norm * factor * factor));
}

RandomStream WeightState::stream(const char* purpose, int64_t update) const {
  return {options.seed, purpose, parameter.name, static_cast<uint64_t>(update)};
}

void WeightState::visit(StateVisitor& visitor) {
  if (place.is_owned() && visitor.owned(parameter.name + ".", place.owner, place.is_here)) return;
  PrefixVisitor own(visitor, parameter.name + ".");
  own.scalar("step", step);
  if (master.defined()) own.tensor("master_weight", master);
  if (parameter.codes) visit_codes(parameter, visitor);
  method->visit(own);
  if (lazy) lazy->visit(own);
}

}  // namespace galore
