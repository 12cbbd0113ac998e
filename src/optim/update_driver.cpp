#include "optim/update_driver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "core/clock.h"
#include "core/errors.h"

namespace galore {

UpdateDriver::UpdateDriver(const OptimizerOptions& options, Weights weights, Workspace& workspace,
                           Collective& collective)
    : options_(options), collective_(collective), weights_(std::move(weights)), writer_(workspace) {
  for (const auto& weight : weights_)
    weight->attach(workspace, [this, state = weight.get()] { complete(*state); });
  stagger_refreshes();
}

// Staggers the refreshes so that no update refreshes all bases. A process without the basis of a weight
// counts it all the same.
void UpdateDriver::stagger_refreshes() {
  const auto count =
      std::count_if(weights_.begin(), weights_.end(), [](const auto& w) { return w->has_basis(); });
  int64_t k = 0;
  for (const auto& weight : weights_) {
    if (Subspace* subspace = weight->subspace()) subspace->stagger(k, count);
    k += weight->has_basis() ? 1 : 0;
  }
}

void UpdateDriver::begin(double learning_rate, const UpdateShare& share) {
  GALORE_ASSERT(share.processes == collective_.size() && share.index == collective_.index());
  writer_.begin(learning_rate, num_updates_);
  collective_.begin_update(share);
  awaited_.clear();
  told_.clear();
  report_ = {};
  for (const auto& weight : weights_) {
    GradientBuffer::Update update = weight->plan_update(share, num_updates_);
    if (weight->forms_low_rank && weight->refresh_due)
      update.refresh = [this, state = weight.get()](const GradientOperator& gradient) {
        refresh(*state, gradient);
      };
    weight->gradient->begin(update);
  }
}

void UpdateDriver::complete(WeightState& weight) {
  GradientBuffer& gradient = *weight.gradient;
  if (gradient.ignored() || collective_.size() == 1) return arrive(weight);
  // All processes must decide alike, whatever their shares. In layer-wise mode a gradient that is as large as
  // all that may be under way stays in its buffer, which needs less memory.
  const bool is_large = options_.layerwise && gradient.sum().total.numel() > kExchangeWindow;
  const bool waits = weight.projects_at_once() || is_large;
  if (is_large) receive_beside_gradient();
  gradient.sum().owner = weight.place.owner;
  if (!waits && weight.place.is_here) gradient.leave_buffer();
  collective_.begin(gradient.sum());
  awaited_.push_back({&weight, /*is_answer=*/false});
  if (waits) return receive_all();
  while (collective_.is_crowded()) receive();
}

// The updates of the weights that wait must leave alone the shared buffer, which holds a gradient.
void UpdateDriver::receive_beside_gradient() {
  writer_.spare_shared_buffer(true);
  receive_all();
  writer_.spare_shared_buffer(false);
}

void UpdateDriver::receive() {
  const auto [weight, is_answer] = awaited_.front();
  awaited_.pop_front();
  if (is_answer) return take_answer(*weight);
  GradientBuffer& gradient = *weight->gradient;
  collective_.finish(gradient.sum());
  if (!weight->place.is_here) return arrive(*weight);
  gradient.take_sum();
  arrive(*weight);
  gradient.drop_sum();
}

void UpdateDriver::receive_all() {
  while (!awaited_.empty()) receive();
}

void UpdateDriver::arrive(WeightState& weight) {
  if (weight.place.is_here) {
    weight.squared_norm = weight.gradient->squared_norm();
    if (!weight.gradient->missing() && weight.projects_at_once()) project_at_once(weight);
  }
  if (options_.layerwise) update(weight, layerwise_clip_factor(weight));
}

void UpdateDriver::project_at_once(WeightState& weight) {
  if (!weight.gradient_is_finite()) {
    // The next weight takes over the buffer, so clipping cannot repair this gradient any more.
    weight.squared_norm = std::numeric_limits<double>::infinity();
    return;
  }
  if (weight.refresh_due) refresh(weight, DenseGradient(weight.gradient->gradient()));
  weight.gradient->keep_projection(*weight.subspace(), weight.refresh_due);
}

void UpdateDriver::refresh(WeightState& weight, const GradientOperator& gradient) {
  const double start = steady_seconds();
  writer_.fold(weight);
  const std::string notice =
      weight.method->refresh(gradient, weight.stream("refresh", num_updates_), weight.step);
  if (!notice.empty()) add_notice(weight, notice);
  const double elapsed = steady_seconds() - start;
  report_.refresh_seconds += elapsed;
  report_.seconds += elapsed;
}

double UpdateDriver::clip_factor_for(double norm) const {
  if (options_.max_grad_norm <= 0) return 1;
  return std::min(1.0, options_.max_grad_norm / (norm + 1e-6));  // 1e-6: as in torch's clip_grad_norm_
}

double UpdateDriver::layerwise_clip_factor(const WeightState& weight) const {
  if (options_.layerwise_clipping == "per_tensor") return clip_factor_for(std::sqrt(weight.squared_norm));
  return previous_norm_ > 0 ? clip_factor_for(previous_norm_) : 1;
}

UpdateReport UpdateDriver::finish(bool discard) {
  receive_all();
  if (!options_.layerwise) share_norms();
  double squared_norm = 0, finite_squared_norm = 0;
  for (const auto& weight : weights_) {
    const GradientBuffer& gradient = *weight->gradient;
    GALORE_ASSERT(discard || gradient.complete());
    squared_norm += weight->squared_norm;
    if (std::isfinite(weight->squared_norm)) finite_squared_norm += weight->squared_norm;
    if (weight->forms_low_rank && !gradient.missing() && !options_.wants_exact_norm())
      report_.norm_is_projected = true;
  }
  report_.gradient_norm = std::sqrt(squared_norm);
  // A gradient that is not finite is left out of the update, so it must not change the clipping of the
  // others.
  if (!discard && !options_.layerwise) update_all(clip_factor_for(std::sqrt(finite_squared_norm)));
  share_notices();
  report_notices();
  if (discard) return report_;
  if (finite_squared_norm > 0) previous_norm_ = std::sqrt(finite_squared_norm);
  report_mean_rank();
  ++num_updates_;
  return report_;
}

void UpdateDriver::update_all(double clip_factor) {
  report_.clip_factor = clip_factor;
  for (const auto& weight : weights_) {
    update(*weight, clip_factor);
    while (collective_.is_crowded()) receive();
  }
  receive_all();
}

void UpdateDriver::update(WeightState& weight, double clip_factor) {
  if (weight.gradient->ignored()) return;
  Decision decision;
  if (weight.place.is_here) decision = decide(weight, clip_factor);
  if (!weight.place.is_owned()) return report(weight, decision.facts);
  weight.answer.prepare(weight, decision.facts, decision.low_rank);
  collective_.begin(weight.answer.bytes());
  awaited_.push_back({&weight, /*is_answer=*/true});
}

UpdateDriver::Decision UpdateDriver::decide(WeightState& weight, double clip_factor) {
  Decision decision;
  UpdateFacts& facts = decision.facts;
  facts.squared_norm = weight.squared_norm;
  // Without a gradient, weight and state stay as they are and a refresh stays due, as in PyTorch's
  // optimizers.
  if (weight.gradient->missing()) {
    facts.reported = 0;
  } else if (!weight.gradient_is_finite(clip_factor)) {
    facts.skipped = 1;
    add_notice(
        weight,
        "the gradient or its square is not finite: the weight, its state and its basis stay as they were");
  } else {
    decision.low_rank = apply(weight, clip_factor, facts);
  }
  for (const auto& [name, notice] : notices_) facts.notices += name == weight.parameter.name ? 1 : 0;
  return decision;
}

// Returns the low-rank direction, if the method's direction is a lift.
at::Tensor UpdateDriver::apply(WeightState& weight, double clip_factor, UpdateFacts& facts) {
  const double start = steady_seconds();
  ++weight.step;
  facts.clip_factor = std::min(1.0, clip_factor);
  at::Tensor low_rank;
  if (write_in_one_pass(weight, clip_factor))
    facts.moves = 1;
  else
    low_rank = write(weight, clip_factor, facts);
  const double elapsed = steady_seconds() - start;
  report_.seconds += elapsed;
  if (weight.refresh_due) {
    const Subspace& subspace = *weight.subspace();
    facts.rank = static_cast<double>(subspace.rank());
    facts.captured_energy = subspace.captured_energy().value_or(-1);
    // A refresh before this function has counted its own time.
    if (!weight.gradient->projected()) report_.refresh_seconds += elapsed;
  }
  return low_rank;
}

void UpdateDriver::report(const WeightState& weight, const UpdateFacts& facts) {
  report_.num_skipped += facts.skipped > 0 ? 1 : 0;
  if (!facts.changes()) return;
  report_.clip_factor = std::min(report_.clip_factor, facts.clip_factor);
  if (facts.rank == 0) return;
  ++report_.num_refreshed;
  report_.refreshed.push_back({weight.parameter.name, static_cast<int64_t>(facts.rank), std::nullopt});
  if (facts.captured_energy >= 0) report_.refreshed.back().captured_energy = facts.captured_energy;
}

void UpdateDriver::take_answer(WeightState& weight) {
  collective_.finish(weight.answer.bytes());
  const UpdateFacts facts = weight.answer.facts();
  if (!weight.place.is_here) follow(weight, facts);
  report(weight, facts);
  if (facts.notices > 0) told_.push_back(&weight);
  weight.answer.reset();
}

void UpdateDriver::follow(WeightState& weight, const UpdateFacts& facts) {
  weight.squared_norm = facts.squared_norm;
  weight.gradient->set_reported(facts.reported > 0);
  if (!facts.changes()) return;
  const double start = steady_seconds();
  ++weight.step;
  if (weight.refresh_due) {
    writer_.fold(weight);
    weight.answer.take_basis(*weight.subspace());
  }
  if (weight.place.answer == StatePlace::Answer::direction && facts.moves > 0)
    writer_.take(weight, weight.subspace()->lift(weight.answer.low_rank(), facts.scale));
  report_.seconds += steady_seconds() - start;
}

// Tells all processes the norms of the gradients that only their owners have. They need them before the first
// weight is clipped.
void UpdateDriver::share_norms() {
  const auto is_owned = [](const auto& weight) { return weight->place.is_owned(); };
  if (std::none_of(weights_.begin(), weights_.end(), is_owned)) return;
  std::vector<double> own;
  for (const auto& weight : weights_) {
    own.push_back(weight->squared_norm);
    own.push_back(weight->gradient->sum().reported ? 1 : 0);
  }
  const std::vector<double> all = collective_.gather(own);
  for (size_t i = 0; i < weights_.size(); ++i) {
    WeightState& weight = *weights_[i];
    if (weight.place.is_here) continue;
    const size_t at = static_cast<size_t>(weight.place.owner) * own.size() + 2 * i;
    weight.squared_norm = all[at];
    weight.gradient->set_reported(all[at + 1] > 0);
  }
}

// A memory plan counts the buffer of a gradient that may be clipped in some update.
bool UpdateDriver::write_in_one_pass(WeightState& weight, double clip_factor) {
  const at::Tensor gradient = weight.gradient->gradient();
  const bool clips = clip_factor < 1 || (gradient.is_meta() && options_.max_grad_norm > 0);
  if (clips || weight.decay_belongs_to_basis() || !WeightWriter::writes_in_one_pass(weight)) return false;
  const auto direction = weight.method->deferred_direction(gradient, weight.step);
  if (!direction) return false;
  writer_.take(weight, *direction);
  return true;
}

at::Tensor UpdateDriver::write(WeightState& weight, double clip_factor, UpdateFacts& facts) {
  const at::Tensor gradient = weight.gradient->own_gradient();
  if (clip_factor < 1) gradient.mul_(clip_factor);
  if (weight.decay_belongs_to_basis()) writer_.add_decay(weight, gradient);
  if (weight.refresh_due && !weight.gradient->projected()) writer_.fold(weight);
  const Direction direction = direction_of(weight, gradient);
  facts.moves = direction.dense.defined() || direction.left.defined() ? 1 : 0;
  facts.scale = direction.scale;
  writer_.take(weight, direction);
  return direction.low_rank;
}

Direction UpdateDriver::direction_of(WeightState& weight, at::Tensor gradient) {
  std::vector<std::string> notices;
  const StepContext context{weight.step, weight.refresh_due, weight.stream("refresh", num_updates_),
                            &notices};
  Direction direction = weight.gradient->projected() ? weight.method->direction_of_low_rank(gradient, context)
                                                     : weight.method->direction(gradient, context);
  for (const std::string& notice : notices) add_notice(weight, notice);
  return direction;
}

void UpdateDriver::add_notice(const WeightState& weight, const std::string& notice) {
  notices_.emplace_back(weight.parameter.name, notice);
}

// Owners tell the messages about their weights to all.
void UpdateDriver::share_notices() {
  for (const WeightState* weight : told_) {
    std::string text;
    for (const auto& [name, notice] : notices_)
      if (weight->place.is_here && name == weight->parameter.name) text += notice + "\n";
    std::istringstream lines(collective_.text_of(weight->place.owner, text));
    for (std::string line; !weight->place.is_here && std::getline(lines, line);) add_notice(*weight, line);
  }
}

// Weights with the same notice share one line.
void UpdateDriver::report_notices() {
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

void UpdateDriver::report_mean_rank() {
  int64_t sum = 0, count = 0;
  for (const auto& weight : weights_) {
    const Subspace* subspace = weight->subspace();
    if (!subspace || !subspace->chooses_rank()) continue;
    sum += subspace->rank();
    ++count;
  }
  if (count > 0) report_.mean_rank = static_cast<double>(sum) / static_cast<double>(count);
}

void UpdateDriver::visit(StateVisitor& visitor) {
  visitor.scalar("optimizer.num_updates", num_updates_);
  visitor.scalar("optimizer.previous_norm", previous_norm_);
  for (const auto& weight : weights_) weight->visit(visitor);
}

}  // namespace galore
