#include "optim/optimizer.h"

#include <algorithm>
#include <iterator>

#include "core/errors.h"
#include "optim/parameter_groups.h"
#include "optim/settings.h"
#include "optim/update_driver.h"
#include "optim/weight_editor.h"

namespace galore {
namespace {

template <typename Wanted>
ParameterList those(const ParameterList& parameters, const Wanted& wanted) {
  ParameterList found;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(found), wanted);
  return found;
}

Grouping group(const ParameterList& trainable, const OptimizerOptions& options) {
  Grouping grouping =
      options.settings->method
          ? group_parameters(trainable, options.target_modules)
          : Grouping{std::vector<bool>(trainable.size(), false), "no parameter is projected", {}};
  for (size_t i = 0; i < trainable.size(); ++i) {
    const auto choice = options.choices.find(trainable[i]->name);
    if (choice != options.choices.end() && choice->second.targeted)
      grouping.projected[i] = *choice->second.targeted && is_matrix(*trainable[i]);
  }
  return grouping;
}

// A layer keeps numbers of its own in parameters that an adapter has and nobody trains. The files of some
// adapters hold trained parameters only.
bool is_layer_state(const Parameter* parameter) {
  return parameter->role == Role::adapter && !parameter->trainable;
}

std::vector<UpdateListener*> listeners_of(const ParameterList& parameters) {
  std::vector<UpdateListener*> listeners;
  for (const Parameter* parameter : parameters)
    if (parameter->listener && !std::count(listeners.begin(), listeners.end(), parameter->listener))
      listeners.push_back(parameter->listener);
  return listeners;
}

}  // namespace

Optimizer::Optimizer(const ParameterList& parameters, const OptimizerOptions& options, Workspace& workspace,
                     Collective& collective)
    : options_(options),
      frozen_in_codes_(
          those(parameters,
                [](const Parameter* p) { return !p->trainable && p->codes && !p->codes->format.fixed; })),
      layer_state_(those(parameters, is_layer_state)),
      listeners_(listeners_of(parameters)),
      workspace_(workspace) {
  options_.layerwise = options.layerwise || options.settings->layerwise;
  if (options.settings->weight_decay >= 0) options_.weight_decay = options.settings->weight_decay;
  const ParameterList trainable = those(parameters, [](const Parameter* p) { return p->trainable; });
  grouping_ = group(trainable, options_);
  const int64_t num_layers = count_layers(parameters);
  // A layer that listens changes weights and their state between updates, in every process.
  if (!listeners_.empty()) options_.exchange_updates = "all";
  const auto places = places_of(trainable, options_, grouping_.projected, num_layers, collective);
  UpdateDriver::Weights weights;
  for (size_t i = 0; i < trainable.size(); ++i)
    weights.push_back(std::make_unique<WeightState>(*trainable[i], options_, grouping_.projected[i],
                                                    num_layers, workspace, places[i]));
  driver_ = std::make_unique<UpdateDriver>(options_, std::move(weights), workspace, collective);
}

Optimizer::~Optimizer() = default;

void Optimizer::begin_update(double learning_rate, int64_t micro_batches) {
  begin_update(learning_rate, UpdateShare{.micro_batches = micro_batches});
}

void Optimizer::begin_update(double learning_rate, const UpdateShare& share) {
  driver_->begin(learning_rate, share);
}

void Optimizer::set_rates(const std::vector<WeightRates>& rates) {
  GALORE_ASSERT(rates.size() == driver_->weights().size());
  for (size_t i = 0; i < rates.size(); ++i) {
    driver_->weights()[i]->learning_rate_factor = rates[i].learning_rate;
    driver_->weights()[i]->weight_decay = rates[i].weight_decay;
  }
}

void Optimizer::close(size_t index) { driver_->weights()[index]->gradient->close(); }

void Optimizer::lend(size_t index, const at::Tensor& gradient) {
  driver_->weights()[index]->gradient->lend(gradient);
}

at::Tensor Optimizer::sum_of(size_t index) { return driver_->weights()[index]->gradient->own_gradient(); }

UpdateReport Optimizer::finish_update(bool discard) {
  UpdateReport report = driver_->finish(discard);
  if (discard || listeners_.empty()) return report;
  WeightEditor editor(driver_->weights(), options_.seed, num_updates(), workspace_);
  for (UpdateListener* listener : listeners_) listener->after_update(num_updates(), editor);
  editor.complete(report);
  return report;
}

int64_t Optimizer::num_updates() const { return driver_->num_updates(); }

Subspace* Optimizer::subspace_of(const Parameter& parameter) const {
  for (const auto& weight : driver_->weights())
    if (&weight->parameter == &parameter && weight->subspace() && weight->subspace()->established())
      return weight->subspace();
  return nullptr;
}

std::vector<int64_t> Optimizer::owned_bytes(int64_t processes) const {
  std::vector<int64_t> bytes(static_cast<size_t>(processes), 0);
  for (const auto& weight : driver_->weights())
    if (weight->place.is_owned()) bytes[static_cast<size_t>(weight->place.owner)] += weight->place.bytes;
  return bytes;
}

bool Optimizer::lifts_lazily() const {
  const auto& weights = driver_->weights();
  return std::any_of(weights.begin(), weights.end(),
                     [](const auto& weight) { return weight->lazy != nullptr; });
}

void Optimizer::visit(StateVisitor& visitor) {
  driver_->visit(visitor);
  // The model's files hold the decoded values, but only the codes give the same weights to the last bit.
  for (Parameter* parameter : frozen_in_codes_) visit_codes(*parameter, visitor);
  for (Parameter* parameter : layer_state_) visitor.tensor(parameter->name, parameter->value);
}

void Optimizer::follow_sizes() {
  for (const auto& weight : driver_->weights()) weight->follow_sizes(workspace_);
}

}  // namespace galore
