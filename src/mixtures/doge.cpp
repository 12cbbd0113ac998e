// DoGE (arXiv 2310.15393, Algorithm 1, with the constants of its code). Each source's gradient g_j is
// clipped.
//
//   W_j = eta sum_{i != j} <g_j, g_i>, or eta <g_j, g_target> with a target
//   W_j <- clip(W_j / mean_i |g_i|, 0, 5 eta)
//   log alpha_j <- log alpha_j + W_j / mu;  alpha <- (1 - epsilon) softmax(log alpha) + epsilon / K
//
// eta is the learning rate. The paper measures in every update; here one measurement stands for
// `update_steps` updates, and mu may be lowered to make up for it. Rows are drawn by alpha, where the paper
// weights losses by it.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mixtures/weight_learner.h"

namespace galore {
namespace {

class DogeLearner : public WeightLearner {
 public:
  DogeLearner(const LearningOptions& options, const std::vector<double>& weights)
      : options_(options), logits_(logarithms(weights)), rewards_(weights.size(), 0) {}

  bool advance(const LearningPoint& point, MixtureProbe& probe) override {
    if (point.step == 0 || point.step % options_.update_steps != 0) return false;
    learn(probe.gram(point.step), point.learning_rate);
    return true;
  }

  std::vector<double> sampling() const override { return softmax(logits_, options_.epsilon); }

  void visit(const VisitNumber& visit) override {
    visit_all(visit, "logit", logits_);
    visit_all(visit, "reward", rewards_);
    visit("measurements", measurements_);
  }

  void describe(nlohmann::ordered_json& fields, const std::vector<std::string>& names) const override {
    if (measurements_ > 0) fields["rewards"] = by_name(names, rewards_);
  }

 private:
  double clip_factor(double norm) const { return norm > options_.max_norm ? options_.max_norm / norm : 1; }

  // A measurement that is not finite teaches nothing.
  void learn(const GradientGram& gram, double rate) {
    const size_t count = logits_.size();
    std::vector<double> clip(count), sums(count, 0);
    double mean_norm = 0;
    for (size_t j = 0; j < count; ++j) {
      const double norm = std::sqrt(gram.products[j][j]);
      clip[j] = clip_factor(norm);
      mean_norm += clip[j] * norm / static_cast<double>(count);
    }
    const double target_clip = clip_factor(gram.target_norm);
    for (size_t j = 0; j < count; ++j) {
      if (!gram.with_target.empty()) sums[j] = clip[j] * target_clip * gram.with_target[j];
      for (size_t i = 0; i < count && gram.with_target.empty(); ++i)
        if (i != j) sums[j] += clip[j] * clip[i] * gram.products[j][i];
      sums[j] *= rate / mean_norm;
    }
    if (!std::all_of(sums.begin(), sums.end(), [](double sum) { return std::isfinite(sum); })) return;
    ++measurements_;
    for (size_t j = 0; j < count; ++j) {
      rewards_[j] = std::clamp(sums[j], 0.0, 5 * rate);
      logits_[j] += rewards_[j] / options_.mu;
    }
  }

  LearningOptions options_;
  std::vector<double> logits_, rewards_;
  double measurements_ = 0;
};

}  // namespace

std::unique_ptr<WeightLearner> make_doge(const LearningOptions& options, std::vector<double> weights) {
  return std::make_unique<DogeLearner>(options, weights);
}

}  // namespace galore
