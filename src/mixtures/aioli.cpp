// Aioli (arXiv 2411.05735, Algorithm 1, with the options of its code). The mixing law is linear: a round with
// the proportions p lowers the loss of source i by sum_j A_ij p_j.
//
// A round of `update_steps` updates begins with turns. In the turn of source j, `lp_steps` updates draw from
// the proportions P_j, which give j the weight one_hot_factor and share the rest among the others. The fall
// of the loss of source i is b_ij. The rows of A solve P A_i = b_i. Then log p_j <- log p_j + eta sum_i A_ij,
// or, with ema > 0, log p_j = log p^0_j + eta sum_i E_ij, where E averages the rounds; the rest of the round
// draws from p. Turns are in an order that is random in each round.
#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/permutation.h"
#include "mixtures/weight_learner.h"

namespace galore {
namespace {

class AioliLearner : public WeightLearner {
 public:
  AioliLearner(const LearningOptions& options, const std::vector<double>& weights, uint64_t seed)
      : options_(options),
        seed_(seed),
        first_(logarithms(weights)),
        logits_(first_),
        before_(weights.size(), 0),
        falls_(weights.size() * weights.size(), 0),
        average_(weights.size() * weights.size(), 0) {
    for (size_t k = 0; k < weights.size(); ++k)
      if (weights[k] > 0) active_.push_back(k);
    const double even = 1 / static_cast<double>(active_.size());
    if (active_.size() > 1 && !(options.one_hot_factor > even))
      fail_usage("mixture_args", "one_hot_factor: expected above {} with {} sources, given {}", even,
                 active_.size(), options.one_hot_factor);
    if (options.update_steps <= updates_of_turns())
      fail_usage("mixture_args",
                 "update_steps: expected above the {} updates of the turns of {} sources, given {}",
                 updates_of_turns(), active_.size(), options.update_steps);
  }

  bool advance(const LearningPoint& point, MixtureProbe& probe) override {
    const int64_t place = point.step % options_.update_steps;
    if (place > updates_of_turns()) return false;
    if (place % options_.lp_steps != 0) return false;
    const std::vector<double> losses = probe.losses();
    if (place > 0) note_falls(static_cast<size_t>(source_of_turn()), losses);
    before_ = losses;
    turn_ = place == updates_of_turns() ? -1 : static_cast<double>(place / options_.lp_steps);
    round_ = static_cast<double>(point.step / options_.update_steps);
    if (turn_ < 0) learn();
    return true;
  }

  std::vector<double> sampling() const override {
    if (turn_ < 0) return learned();
    std::vector<double> weights(logits_.size(), 0);
    for (const size_t k : active_) weights[k] = share_of(k == source_of_turn());
    return weights;
  }
  std::vector<double> learned() const override { return softmax(logits_, 0); }

  void visit(const VisitNumber& visit) override {
    visit_all(visit, "logit", logits_);
    visit_all(visit, "before", before_);
    visit_all(visit, "fall", falls_);
    visit_all(visit, "average", average_);
    visit("turn", turn_);
    visit("round", round_);
    visit("rounds_learned", rounds_learned_);
  }

  void describe(nlohmann::ordered_json& fields, const std::vector<std::string>& names) const override {
    fields["learned"] = by_name(names, learned());
    if (turn_ >= 0) fields["turn"] = names[source_of_turn()];
  }

 private:
  int64_t updates_of_turns() const { return std::ssize(active_) * options_.lp_rounds * options_.lp_steps; }
  double share_of(bool own) const {
    if (active_.size() == 1) return 1;
    return own ? options_.one_hot_factor
               : (1 - options_.one_hot_factor) / static_cast<double>(active_.size() - 1);
  }

  size_t source_of_turn() const {
    const auto turn = static_cast<uint64_t>(turn_), count = static_cast<uint64_t>(active_.size());
    const uint64_t pass =
        static_cast<uint64_t>(round_) * static_cast<uint64_t>(options_.lp_rounds) + turn / count;
    return active_[Permutation(count, seed_, "mixture turns", pass)(turn % count)];
  }

  void note_falls(size_t source, const std::vector<double>& losses) {
    const size_t count = logits_.size();
    for (size_t i = 0; i < count; ++i) falls_[i * count + source] += before_[i] - losses[i];
  }

  // Returns sum_i A_ij for each active source j.
  at::Tensor interactions() {
    const auto count = static_cast<int64_t>(active_.size());
    const at::Tensor falls = at::zeros({count, count}, at::kDouble), shares = falls.clone();
    for (int64_t i = 0; i < count; ++i)
      for (int64_t j = 0; j < count; ++j) {
        const size_t at = active_[static_cast<size_t>(i)] * logits_.size() + active_[static_cast<size_t>(j)];
        falls[i][j] = falls_[at] / static_cast<double>(options_.lp_rounds);
        shares[i][j] = share_of(i == j);
      }
    // Row j of `shares` is P_j, so that the falls are A shares^T.
    return at::linalg_solve(shares, falls.t()).t().contiguous();
  }

  // A round that is not finite teaches nothing.
  void learn() {
    const at::Tensor matrix = interactions();
    std::fill(falls_.begin(), falls_.end(), 0.0);
    if (!matrix.isfinite().all().item<bool>()) return;
    ++rounds_learned_;
    const size_t count = active_.size();
    for (size_t j = 0; j < count; ++j) {
      double sum = 0;
      for (size_t i = 0; i < count; ++i) {
        double& average = average_[i * logits_.size() + j];
        const double now = matrix[static_cast<int64_t>(i)][static_cast<int64_t>(j)].item<double>();
        average = rounds_learned_ == 1 ? now : (1 - options_.ema) * now + options_.ema * average;
        sum += options_.ema > 0 ? average : now;
      }
      double& logit = logits_[active_[j]];
      logit = (options_.ema > 0 ? first_[active_[j]] : logit) + options_.eta * sum;
    }
  }

  LearningOptions options_;
  uint64_t seed_;
  std::vector<size_t> active_;
  std::vector<double> first_, logits_, before_;
  std::vector<double> falls_, average_;  // K x K
  double turn_ = -1, round_ = 0;         // turn -1: the rest of the round
  double rounds_learned_ = 0;
};

}  // namespace

std::unique_ptr<WeightLearner> make_aioli(const LearningOptions& options, std::vector<double> weights,
                                          uint64_t seed) {
  return std::make_unique<AioliLearner>(options, weights, seed);
}

}  // namespace galore
