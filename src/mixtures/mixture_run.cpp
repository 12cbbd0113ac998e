#include "mixtures/mixture_run.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "core/errors.h"
#include "core/labels.h"

namespace galore {

MixtureRun::MixtureRun(MixtureSource& mixture, const LearningOptions& options,
                       std::unique_ptr<MixtureProbe> probe, int64_t max_steps, uint64_t seed)
    : mixture_(mixture),
      options_(options),
      probe_(std::move(probe)),
      learner_(make_learner(options, mixture.weights(), seed)),
      last_learning_step_(
          static_cast<int64_t>(std::floor((1 - options.freeze) * static_cast<double>(max_steps)))),
      weights_(mixture.weights()),
      tokens_(mixture.size(), 0),
      epochs_(mixture.size(), 0),
      ended_(mixture.size(), 0),
      sum_(mixture.size(), 0) {
  for (size_t k = 0; k < mixture.size(); ++k) names_.push_back(mixture.name(k));
}

std::vector<double> MixtureRun::tokens_of(const std::vector<Batch>& batches) const {
  std::vector<double> tokens(names_.size(), 0);
  for (const Batch& batch : batches) {
    const at::Tensor counted =
        batch.targets.labels.defined()
            ? batch.targets.labels.ne(kIgnoredLabel).sum(1)
            : at::bincount(batch.targets.places.div(batch.length(), "floor"), {}, batch.rows());
    for (int64_t row = 0; row < batch.rows(); ++row)
      tokens[static_cast<size_t>(batch.source[row].item<int32_t>())] += counted[row].item<double>();
  }
  return tokens;
}

void MixtureRun::after_update(const std::vector<double>& tokens, const LearningPoint& point,
                              const DataPosition& position) {
  for (size_t k = 0; k < tokens_.size(); ++k) tokens_[k] += tokens.at(k);
  note_ends(position);
  learn(point);
}

void MixtureRun::note_ends(const DataPosition& position) {
  for (size_t k = 0; k < names_.size(); ++k) {
    epochs_[k] = mixture_.epochs_of(k, position);
    const double most = mixture_.max_epochs(k);
    if (most == 0 || ended_[k] != 0 || epochs_[k] < most) continue;
    ended_[k] = 1;
    messages_.push_back(fmt::format("the source {} has given its {} epochs: the others take over its weight",
                                    names_[k], most));
  }
}

void MixtureRun::learn(const LearningPoint& point) {
  if (!learner_ || frozen_ != 0) return;
  if (point.step > last_learning_step_) return freeze();
  const double start = steady_seconds();
  const bool measured = learner_->advance(point, *probe_);
  seconds_ += steady_seconds() - start;
  if (!measured) return;
  const std::vector<double> learned = learner_->learned();
  for (size_t k = 0; k < sum_.size(); ++k) sum_[k] += learned[k];
  ++measurements_;
  weights_ = learner_->sampling();
  mixture_.set_weights(weights_);
}

void MixtureRun::freeze() {
  frozen_ = 1;
  const bool averages = options_.final_weights == "average" && measurements_ > 0;
  weights_ = averages ? sum_ : learner_->learned();
  mixture_.set_weights(weights_);
  weights_ = mixture_.weights();
  std::string text;
  for (size_t k = 0; k < names_.size(); ++k) text += fmt::format("  {} {:.4f}", names_[k], weights_[k]);
  messages_.push_back("the weights of the mixture are fixed from now on:" + text);
}

nlohmann::ordered_json MixtureRun::take_fields() {
  nlohmann::ordered_json fields{{"weights", by_name(names_, weights_)},
                                {"tokens", by_name(names_, tokens_)},
                                {"epochs", by_name(names_, epochs_)}};
  if (!learner_) return fields;
  learner_->describe(fields, names_);
  fields["frozen"] = frozen_ != 0;
  fields["seconds"] = std::exchange(seconds_, 0);
  return fields;
}

std::vector<std::string> MixtureRun::take_messages() { return std::exchange(messages_, {}); }

void MixtureRun::visit(const VisitNumber& visit) {
  visit_all(visit, "weight", weights_);
  visit_all(visit, "tokens", tokens_);
  visit_all(visit, "epochs", epochs_);
  visit_all(visit, "ended", ended_);
  if (!learner_) return;
  visit_all(visit, "sum", sum_);
  visit("measurements", measurements_);
  visit("frozen", frozen_);
  learner_->visit([&](const std::string& name, double& number) { visit("learner." + name, number); });
}

// Weights that are not learned are those of the options, which the user may have changed.
void MixtureRun::resume() {
  if (learner_)
    mixture_.set_weights(weights_);
  else
    weights_ = mixture_.weights();
}

}  // namespace galore
