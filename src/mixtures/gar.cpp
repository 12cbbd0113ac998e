// The gradient-alignment reward (arXiv 2102.03275). The loss of the target after a step along the gradient
// g_k of source k falls in proportion to the reward rho_k = <g_k, h>, where h is the target's gradient.
//
// The weights are p = (1 - gamma) softmax(phi) + gamma / K. The paper's score-function gradient of the
// expected reward gives phi_k <- phi_k + eta (rho_k - b) when every source is rated in each measurement and
// the samples are weighted by 1 / p_k, with the baseline b = sum_k p_k rho_k. Rewards are divided by the root
// of the running mean of their squares, so that eta does not depend on the size of gradients. Sources that
// are alike then have differences near zero, and a source of noise, with a reward near zero, loses weight.
#include <cmath>
#include <nlohmann/json.hpp>

#include "mixtures/weight_learner.h"

namespace galore {
namespace {

class GarLearner : public WeightLearner {
 public:
  GarLearner(const LearningOptions& options, const std::vector<double>& weights)
      : options_(options),
        logits_(logarithms(weights)),
        rewards_(weights.size(), 0),
        projected_(weights.size(), 0) {}

  bool advance(const LearningPoint& point, MixtureProbe& probe) override {
    if (point.step == 0 || point.step % options_.update_steps != 0) return false;
    const Alignment alignment = probe.alignment(point.step);
    rewards_ = alignment.rewards;
    if (!alignment.projected.empty()) projected_ = alignment.projected;
    learn();
    return true;
  }

  std::vector<double> sampling() const override { return softmax(logits_, options_.exploration); }

  void visit(const VisitNumber& visit) override {
    visit_all(visit, "logit", logits_);
    visit_all(visit, "reward", rewards_);
    visit_all(visit, "projected", projected_);
    visit("mean_square", mean_square_);
    visit("measurements", measurements_);
  }

  void describe(nlohmann::ordered_json& fields, const std::vector<std::string>& names) const override {
    if (measurements_ == 0) return;
    fields["rewards"] = by_name(names, rewards_);
    if (options_.inner == "both") fields["projected_rewards"] = by_name(names, projected_);
  }

 private:
  // A measurement that is not finite teaches nothing.
  void learn() {
    const std::vector<double> p = sampling();
    double baseline = 0, square = 0, count = 0;
    for (size_t k = 0; k < p.size(); ++k) {
      if (!(p[k] > 0)) continue;
      baseline += p[k] * rewards_[k];
      square += rewards_[k] * rewards_[k];
      ++count;
    }
    if (!std::isfinite(square)) return;
    ++measurements_;
    mean_square_ = options_.ema * mean_square_ + (1 - options_.ema) * square / count;
    const double scale = std::sqrt(mean_square_ / (1 - std::pow(options_.ema, measurements_)));
    if (!(scale > 0)) return;
    for (size_t k = 0; k < p.size(); ++k)
      if (p[k] > 0) logits_[k] += options_.learning_rate * (rewards_[k] - baseline) / scale;
  }

  LearningOptions options_;
  std::vector<double> logits_, rewards_, projected_;
  double mean_square_ = 0, measurements_ = 0;
};

}  // namespace

std::unique_ptr<WeightLearner> make_gar(const LearningOptions& options, std::vector<double> weights) {
  return std::make_unique<GarLearner>(options, weights);
}

}  // namespace galore
