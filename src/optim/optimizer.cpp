#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "core/clock.h"
#include "core/errors.h"
#include "kernels/group_quantize.h"

namespace galore {
namespace {

template <typename Wanted>
ParameterList those(const ParameterList& parameters, const Wanted& wanted) {
  ParameterList found;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(found), wanted);
  return found;
}

}  // namespace

Optimizer::Optimizer(const ParameterList& parameters, const OptimizerOptions& options, Workspace& workspace)
    : options_(options),
      workspace_(workspace),
      parameters_(those(parameters, [](const Parameter* p) { return p->trainable; })),
      frozen_in_codes_(those(parameters, [](const Parameter* p) { return !p->trainable && p->codes; })),
      num_layers_(count_layers(parameters_)),
      grouping_(group_parameters(parameters_, options.target_modules)) {
  options_.layerwise = options.layerwise || options.settings.layerwise;
  if (options.settings.weight_decay >= 0) options_.weight_decay = options.settings.weight_decay;
  if (!options.settings.method) {
    grouping_ = {std::vector<bool>(parameters_.size(), false), "no parameter is projected", {}};
  }
  slots_.reserve(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    slots_.push_back(make_slot(*parameters_[i], grouping_.projected[i]));
    Slot& slot = slots_.back();
    slot.gradient =
        std::make_unique<GradientBuffer>(*parameters_[i], workspace, [this, &slot] { on_complete(slot); });
    slot.binding.emplace(*parameters_[i], *slot.gradient);
  }
  stagger_refreshes();
}

Optimizer::Slot Optimizer::make_slot(Parameter& parameter, bool targeted) {
  const WeightOverride* own = find_override(options_.overrides, parameter);
  Slot slot;
  slot.parameter = &parameter;
  slot.settings = own ? &own->settings : &options_.settings;
  slot.learning_rate_factor = own ? own->learning_rate_factor : 1;
  const MethodWeight weight{.name = parameter.name,
                            .shape = matrix_sizes(parameter),
                            .targeted = targeted || (own && is_matrix(parameter)),
                            .role = parameter.role,
                            .layer = parameter.layer,
                            .num_layers = num_layers_};
  slot.method = make_method(*slot.settings, weight, workspace_);
  const double decay =
      own && own->settings.weight_decay >= 0 ? own->settings.weight_decay : options_.weight_decay;
  slot.weight_decay = options_.decay_all || is_matrix(parameter) ? decay : 0;
  if (options_.master_weights && parameter.codes)
    fail_usage(
        "master_weights",
        "expected false: {} is kept in 8-bit codes and nowhere else (weight_bits=16 in optim_args: in bf16)",
        parameter.name);
  if (options_.master_weights && parameter.value.scalar_type() != at::kFloat) {
    slot.master = workspace_.ledger().empty(Owner::master_weights, matrix_sizes(parameter), at::kFloat);
    slot.master.copy_(parameter.value.view(slot.master.sizes()));
  }
  slot.lazy = make_lazy_lift(slot);
  return slot;
}

bool Optimizer::lifts_lazily() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.lazy != nullptr; });
}

std::unique_ptr<LazyLift> Optimizer::make_lazy_lift(const Slot& slot) {
  Parameter& parameter = *slot.parameter;
  Subspace* subspace = slot.method->reads_low_rank() ? slot.method->subspace() : nullptr;
  if (options_.lift == "eager" || !subspace || subspace->side() == Side::both || subspace->chooses_rank() ||
      !parameter.whole_products)
    return nullptr;
  const bool narrow =
      parameter.codes || (parameter.value.scalar_type() != at::kFloat && !slot.master.defined());
  const auto sizes = matrix_sizes(parameter);
  if (options_.lift == "auto" && (options_.tokens_per_update == 0 || (narrow && slot.weight_decay > 0) ||
                                  !lazy_lift_is_cheaper(options_.tokens_per_update, sizes[0], sizes[1])))
    return nullptr;
  if (narrow && slot.weight_decay > 0)
    fail_usage("lift", "expected eager, or weight_decay=0: decay would round {} with every update",
               parameter.name);
  return std::make_unique<LazyLift>(parameter, *subspace, workspace_.ledger());
}

// So that no step refreshes all bases.
void Optimizer::stagger_refreshes() {
  std::vector<Subspace*> all;
  for (Slot& slot : slots_)
    if (Subspace* subspace = slot.method->subspace()) all.push_back(subspace);
  for (size_t k = 0; k < all.size(); ++k)
    all[k]->stagger(static_cast<int64_t>(k), static_cast<int64_t>(all.size()));
}

// Coupled decay is added after clipping, and the basis is taken from the sum.
bool Optimizer::decay_belongs_to_basis(const Slot& slot) const {
  return slot.settings->decay_order == DecayOrder::coupled && slot.weight_decay > 0;
}

// The new basis from products with the gradient, which then never exists in full.
bool Optimizer::refreshes_by_products(const Slot& slot, int64_t micro_batches) const {
  return slot.parameter->whole_products &&
         (micro_batches == 1 || options_.basis_gradient == "first_micro_batch") &&
         searches_by_products(slot.settings->subspace.subspace) &&
         slot.method->subspace()->side() != Side::both && !options_.may_discard &&
         !decay_belongs_to_basis(slot);
}

// Else, where only low-rank gradients are kept, a gradient in full need not outlive its weight's backward
// pass: it is projected there, by a basis taken from it if one is due. Layer-wise mode does so anyway.
bool Optimizer::projects_at_once(const Slot& slot) const {
  return options_.gradient == "projected" && slot.method->reads_low_rank() && !slot.forms_low_rank &&
         !options_.layerwise && !options_.may_discard && !decay_belongs_to_basis(slot);
}

bool Optimizer::knows_exact_norm() const {
  return options_.grad_norm == "exact" || (options_.grad_norm == "auto" && options_.max_grad_norm > 0);
}

// Only what needs no more than one product to know the norm of its gradient may stay in the subspace where
// that norm is wanted.
bool Optimizer::may_form_low_rank(const Slot& slot, int64_t micro_batches) const {
  if (options_.gradient != "projected" || !slot.method->reads_low_rank()) return false;
  if (slot.refresh_due && !refreshes_by_products(slot, micro_batches)) return false;
  return !knows_exact_norm() ||
         (micro_batches == 1 && slot.parameter->uses == 1 && slot.parameter->whole_products);
}

void Optimizer::begin_update(double learning_rate, int64_t micro_batches) {
  learning_rate_ = learning_rate;
  report_ = {};
  for (Slot& slot : slots_) {
    Subspace* subspace = slot.method->subspace();
    slot.refresh_due = subspace && subspace->due(num_updates_);
    slot.squared_norm = 0;
    GradientBuffer::Update update;
    update.micro_batches = micro_batches;
    const Turn turn = slot.method->turn(num_updates_);
    update.ignored = turn == Turn::resting;
    if (turn == Turn::active) update.name = name_in_any_layer(slot.parameter->name, slot.parameter->layer);
    slot.forms_low_rank = may_form_low_rank(slot, micro_batches);
    if (slot.forms_low_rank) {
      update.subspace = slot.method->subspace();
      update.exact_norm = knows_exact_norm();
      if (slot.refresh_due)
        update.refresh = [this, &slot](const GradientOperator& gradient) { refresh(slot, gradient); };
    }
    update.shared =
        (options_.layerwise || projects_at_once(slot)) && micro_batches == 1 && slot.parameter->uses == 1;
    slot.gradient->begin(update);
  }
}

void Optimizer::on_complete(Slot& slot) {
  slot.squared_norm = slot.gradient->squared_norm();
  if (slot.gradient->projected() && !knows_exact_norm()) report_.norm_is_projected = true;
  if (projects_at_once(slot)) project_at_once(slot);
  if (options_.layerwise) apply_update(slot, layerwise_clip_factor(slot));
}

void Optimizer::project_at_once(Slot& slot) {
  if (!std::isfinite(static_cast<float>(slot.squared_norm))) {
    // The next weight takes over the buffer: clipping cannot mend this gradient any more.
    slot.squared_norm = std::numeric_limits<double>::infinity();
    return;
  }
  if (slot.refresh_due) refresh(slot, DenseGradient(slot.gradient->gradient()));
  slot.gradient->keep_projection(*slot.method->subspace(), slot.refresh_due);
}

void Optimizer::refresh(Slot& slot, const GradientOperator& gradient) {
  const double start = steady_seconds();
  fold(slot);
  const std::string notice = slot.method->refresh(gradient, refresh_stream(slot), slot.step);
  if (!notice.empty()) add_notice(slot, notice);
  const double elapsed = steady_seconds() - start;
  report_.refresh_seconds += elapsed;
  report_.seconds += elapsed;
}

RandomStream Optimizer::refresh_stream(const Slot& slot) const {
  return {options_.seed, "refresh", slot.parameter->name, static_cast<uint64_t>(num_updates_)};
}

void Optimizer::add_notice(const Slot& slot, const std::string& notice) {
  notices_.emplace_back(slot.parameter->name, notice);
}

// What several weights have to say in the same words is one line.
void Optimizer::report_notices() {
  for (size_t i = 0; i < notices_.size(); ++i) {
    const auto says_the_same = [&](const auto& other) { return other.second == notices_[i].second; };
    const auto begin = notices_.begin(), here = begin + static_cast<ptrdiff_t>(i);
    if (std::any_of(begin, here, says_the_same)) continue;
    const auto more = std::count_if(here + 1, notices_.end(), says_the_same);
    report_.notices.push_back(fmt::format("update {}: {}{}: {}", num_updates_ + 1, here->first,
                                          more > 0 ? fmt::format(" and {} more", more) : "", here->second));
  }
  notices_.clear();
}

void Optimizer::report_mean_rank() {
  int64_t sum = 0, count = 0;
  for (const Slot& slot : slots_) {
    const Subspace* subspace = slot.method->subspace();
    if (!subspace || !subspace->chooses_rank()) continue;
    sum += subspace->rank();
    ++count;
  }
  if (count > 0) report_.mean_rank = static_cast<double>(sum) / static_cast<double>(count);
}

double Optimizer::factor_for(double norm) const {
  if (options_.max_grad_norm <= 0) return 1;
  return std::min(1.0, options_.max_grad_norm / (norm + 1e-6));  // 1e-6: as torch's clip_grad_norm_
}

double Optimizer::layerwise_clip_factor(const Slot& slot) const {
  if (options_.layerwise_clipping == "per_tensor") return factor_for(std::sqrt(slot.squared_norm));
  return previous_norm_ > 0 ? factor_for(previous_norm_) : 1;
}

UpdateReport Optimizer::finish_update(bool discard) {
  double squared_norm = 0, finite_squared_norm = 0;
  for (const Slot& slot : slots_) {
    GALORE_ASSERT(discard || slot.gradient->complete());
    squared_norm += slot.squared_norm;
    if (std::isfinite(slot.squared_norm)) finite_squared_norm += slot.squared_norm;
  }
  report_.gradient_norm = std::sqrt(squared_norm);
  if (discard) {
    report_notices();
    return report_;
  }
  if (!options_.layerwise) {
    // A gradient that is not finite is left out of the update, and so of what the others are clipped by.
    report_.clip_factor = factor_for(std::sqrt(finite_squared_norm));
    for (Slot& slot : slots_) apply_update(slot, report_.clip_factor);
  }
  if (finite_squared_norm > 0) previous_norm_ = std::sqrt(finite_squared_norm);
  report_notices();
  report_mean_rank();
  ++num_updates_;
  return report_;
}

void Optimizer::apply_update(Slot& slot, double clip_factor) {
  if (slot.gradient->ignored()) return;
  const double start = steady_seconds();
  // In fp32, because the rules square gradients there: an infinite second moment would never go away.
  if (!std::isfinite(static_cast<float>(slot.squared_norm * clip_factor * clip_factor))) {
    ++report_.num_skipped;
    add_notice(
        slot,
        "the gradient or its square is not finite: the weight, its state and its basis stay as they were");
    return;
  }
  ++slot.step;
  at::Tensor gradient = slot.gradient->gradient();
  if (clip_factor < 1) {
    gradient.mul_(clip_factor);
    report_.clip_factor = std::min(report_.clip_factor, clip_factor);
  }
  if (slot.settings->decay_order == DecayOrder::coupled && slot.weight_decay > 0) add_decay(slot, gradient);
  if (slot.refresh_due && !slot.gradient->projected()) fold(slot);
  take(slot, direction_of(slot, gradient));
  const double elapsed = steady_seconds() - start;
  report_.seconds += elapsed;
  if (!slot.refresh_due) return;
  ++report_.num_refreshed;
  const Subspace& subspace = *slot.method->subspace();
  report_.refreshed.push_back({slot.parameter->name, subspace.rank(), subspace.captured_energy()});
  if (!slot.gradient->projected()) report_.refresh_seconds += elapsed;  // else it was counted where it was
}

// gradient += weight_decay W, or its projection where the gradient is one.
void Optimizer::add_decay(Slot& slot, const at::Tensor& gradient) {
  const bool projected = slot.gradient->projected();
  at::Tensor weight = slot.master;
  if (slot.parameter->codes) {
    weight = projected
                 ? full_size_buffer(slot)
                 : workspace_.get(Owner::workspace, "optimizer.decoded_weight", gradient.sizes(), at::kFloat);
    kernels::decode_groups(*slot.parameter->codes, weight);
  } else if (!weight.defined()) {
    weight = matrix_of(*slot.parameter);
    if (projected && weight.scalar_type() != at::kFloat) weight = full_size_buffer(slot).copy_(weight);
  }
  if (projected) weight = slot.method->subspace()->project(weight);
  gradient.add_(weight, slot.weight_decay);
}

Direction Optimizer::direction_of(Slot& slot, at::Tensor gradient) {
  std::vector<std::string> notices;
  const StepContext context{slot.step, slot.refresh_due, refresh_stream(slot), &notices};
  Direction direction = slot.gradient->projected() ? slot.method->direction_of_low_rank(gradient, context)
                                                   : slot.method->direction(gradient, context);
  for (const std::string& notice : notices) add_notice(slot, notice);
  return direction;
}

void Optimizer::visit(StateVisitor& visitor) {
  visitor.scalar("optimizer.num_updates", num_updates_);
  visitor.scalar("optimizer.previous_norm", previous_norm_);
  for (Slot& slot : slots_) {
    PrefixVisitor own(visitor, slot.parameter->name + ".");
    own.scalar("step", slot.step);
    if (slot.master.defined()) own.tensor("master_weight", slot.master);
    if (slot.parameter->codes) visit_codes(*slot.parameter, visitor);
    slot.method->visit(own);
    if (slot.lazy) slot.lazy->visit(own);
  }
  // Their decoded values are in the model's files, but only the codes give the same weights to the last bit.
  for (Parameter* parameter : frozen_in_codes_) visit_codes(*parameter, visitor);
}

}  // namespace galore
