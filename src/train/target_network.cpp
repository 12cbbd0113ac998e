#include "train/target_network.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.h"
#include "heads/head.h"
#include "kernels/weight_term.h"

namespace galore {

TargetNetwork::TargetNetwork(const TargetOptions& options, TrainableModel& model,
                             const ModelOptions& model_options, Ledger& ledger)
    : options_(options) {
  if (options.target_network == "model")
    copy_model(model, model_options, ledger);
  else
    copy_head(model, ledger);
  // A weight is decoded or widened as a whole while it is copied.
  for (const Pair& pair : pairs_)
    if (pair.own->codes || pair.own->value.scalar_type() != pair.copy.scalar_type())
      ledger.note_transient(pair.own->numel() * 4);
}

void TargetNetwork::copy_head(TrainableModel& model, Ledger& ledger) {
  const auto is_of_head = [](const Parameter* parameter) { return parameter->of_new_head; };
  const ParameterList parameters = model.parameters();
  if (std::count_if(parameters.begin(), parameters.end(), is_of_head) != 1)
    fail("target_network", "expected model for the encoder '{}', whose head has several matrices, given head",
         model.config().model_type);
  Parameter* weight = *std::find_if(parameters.begin(), parameters.end(), is_of_head);
  pairs_.push_back({weight, ledger.empty(Owner::weights, weight->sizes(), at::kFloat)});
  model.set_target_weight(pairs_.front().copy);
}

void TargetNetwork::copy_model(TrainableModel& model, const ModelOptions& model_options, Ledger& ledger) {
  ModelOptions plain = model_options;
  plain.quantization = nullptr;
  if (options_.target_tau < 1) plain.weights_dtype = plain.compute_dtype = at::kFloat;
  network_ = make_model(model.config(), plain, ledger);
  const ParameterList own = model.parameters(), copies = network_->parameters();
  GALORE_ASSERT(own.size() == copies.size());
  for (size_t i = 0; i < own.size(); ++i) {
    GALORE_ASSERT(own[i]->name == copies[i]->name);
    pairs_.push_back({own[i], copies[i]->value});
  }
}

void TargetNetwork::copy_all() {
  for (const Pair& pair : pairs_)
    if (!pair.copy.is_meta()) pair.copy.copy_(effective_value(*pair.own));
}

void TargetNetwork::prepare(Batch& batch) {
  if (!network_) return;
  Predictions predictions;
  predictions.wants_outputs = true;
  network_->evaluate(batch, &predictions);
  batch.targets.target_outputs = predictions.outputs;
}

void TargetNetwork::after_update(int64_t update) {
  if (update % options_.target_update_interval != 0) return;
  if (options_.target_tau >= 1) return copy_all();
  for (const Pair& pair : pairs_)
    if (!pair.copy.is_meta())
      pair.copy.lerp_(effective_value(*pair.own).to(pair.copy.scalar_type()), options_.target_tau);
}

void TargetNetwork::visit(StateVisitor& visitor) {
  for (Pair& pair : pairs_) visitor.tensor(pair.own->name, pair.copy);
}

std::unique_ptr<TargetNetwork> make_target_network(const TargetOptions& options, TrainableModel& model,
                                                   const ModelOptions& model_options, Ledger& ledger) {
  if (!options.has_target_network()) return nullptr;
  return std::make_unique<TargetNetwork>(options, model, model_options, ledger);
}

}  // namespace galore
