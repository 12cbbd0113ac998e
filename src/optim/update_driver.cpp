#include "optim/update_driver.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

// Staggers the refreshes so that no update refreshes all bases.
void UpdateDriver::stagger_refreshes() {
  std::vector<Subspace*> all;
  for (const auto& weight : weights_)
    if (Subspace* subspace = weight->subspace()) all.push_back(subspace);
  for (size_t k = 0; k < all.size(); ++k)
    all[k]->stagger(static_cast<int64_t>(k), static_cast<int64_t>(all.size()));
}

void UpdateDriver::begin(double learning_rate, const UpdateShare& share) {
  GALORE_ASSERT(share.processes == collective_.size() && share.index == collective_.index());
  writer_.begin(learning_rate, num_updates_);
  collective_.begin_update(share);
  awaited_.clear();
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
  const bool is_large = gradient.sum().total.numel() > kExchangeWindow;
  const bool waits = weight.projects_at_once() || (options_.layerwise && is_large);
  if (!waits) gradient.leave_buffer();
  collective_.begin(gradient.sum());
  awaited_.push_back(&weight);
  if (waits) return receive_all();
  while (collective_.is_crowded()) receive();
}

void UpdateDriver::receive() {
  WeightState& weight = *awaited_.front();
  awaited_.pop_front();
  collective_.finish(weight.gradient->sum());
  weight.gradient->take_sum();
  arrive(weight);
  weight.gradient->drop_sum();
}

void UpdateDriver::receive_all() {
  while (!awaited_.empty()) receive();
}

void UpdateDriver::arrive(WeightState& weight) {
  weight.squared_norm = weight.gradient->squared_norm();
  if (weight.gradient->missing()) return;
  if (weight.gradient->projected() && !options_.wants_exact_norm()) report_.norm_is_projected = true;
  if (weight.projects_at_once()) project_at_once(weight);
  if (options_.layerwise) apply(weight, layerwise_clip_factor(weight));
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
  double squared_norm = 0, finite_squared_norm = 0;
  for (const auto& weight : weights_) {
    GALORE_ASSERT(discard || weight->gradient->complete());
    squared_norm += weight->squared_norm;
    if (std::isfinite(weight->squared_norm)) finite_squared_norm += weight->squared_norm;
  }
  report_.gradient_norm = std::sqrt(squared_norm);
  if (discard) {
    report_notices();
    return report_;
  }
  if (!options_.layerwise) {
    // A gradient that is not finite is left out of the update, so it must not change the clipping of the
    // others.
    report_.clip_factor = clip_factor_for(std::sqrt(finite_squared_norm));
    for (const auto& weight : weights_) apply(*weight, report_.clip_factor);
  }
  if (finite_squared_norm > 0) previous_norm_ = std::sqrt(finite_squared_norm);
  report_notices();
  report_mean_rank();
  ++num_updates_;
  return report_;
}

void UpdateDriver::apply(WeightState& weight, double clip_factor) {
  // Without a gradient, weight and state stay as they are and a refresh stays due, as in PyTorch's
  // optimizers.
  if (weight.gradient->ignored() || weight.gradient->missing()) return;
  const double start = steady_seconds();
  if (!weight.gradient_is_finite(clip_factor)) {
    ++report_.num_skipped;
    add_notice(
        weight,
        "the gradient or its square is not finite: the weight, its state and its basis stay as they were");
    return;
  }
  ++weight.step;
  if (!write_in_one_pass(weight, clip_factor)) write(weight, clip_factor);
  const double elapsed = steady_seconds() - start;
  report_.seconds += elapsed;
  if (!weight.refresh_due) return;
  ++report_.num_refreshed;
  const Subspace& subspace = *weight.subspace();
  report_.refreshed.push_back({weight.parameter.name, subspace.rank(), subspace.captured_energy()});
  // A refresh before this function has counted its own time.
  if (!weight.gradient->projected()) report_.refresh_seconds += elapsed;
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

void UpdateDriver::write(WeightState& weight, double clip_factor) {
  const at::Tensor gradient = weight.gradient->own_gradient();
  if (clip_factor < 1) {
    gradient.mul_(clip_factor);
    report_.clip_factor = std::min(report_.clip_factor, clip_factor);
  }
  if (weight.decay_belongs_to_basis()) writer_.add_decay(weight, gradient);
  if (weight.refresh_due && !weight.gradient->projected()) writer_.fold(weight);
  writer_.take(weight, direction_of(weight, gradient));
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
