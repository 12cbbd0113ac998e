// The losses against plain formulas in fp64 and central differences.
#include "heads/token_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/labels.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

// Returns the sum of the losses of logits in fp64.
double smoothed_sum(const at::Tensor& logits, const std::vector<int64_t>& labels,
                    const LossOptions& options) {
  double sum = 0;
  for (int64_t t = 0; t < logits.size(0); ++t) {
    const int64_t label = labels[static_cast<size_t>(t)];
    if (label == kIgnoredLabel) continue;
    const at::Tensor row = logits[t];
    const double log_sum = row.logsumexp(0).item<double>(), own = log_sum - row[label].item<double>();
    const double all = log_sum - row.mean().item<double>();
    sum += (1 - options.label_smoothing) * own + options.label_smoothing * all +
           options.z_loss * log_sum * log_sum;
  }
  return sum;
}

TEST(TokenLoss, SmoothingAndZLossFollowTheirFormulas) {
  const std::vector<int64_t> labels{3, kIgnoredLabel, 0, 6};
  LossOptions options;
  options.label_smoothing = 0.2;
  options.z_loss = 0.05;
  const at::Tensor exact = random({4, 7}, at::kFloat, 1).to(at::kDouble) * 3;
  at::Tensor logits = exact.to(at::kFloat), losses = at::empty({4}, at::kDouble);
  smoothed_cross_entropy(losses, logits, at::tensor(labels, at::kLong), 0.5, options, at::empty_like(logits));
  EXPECT_NEAR(losses.sum().item<double>(), smoothed_sum(exact, labels, options), 1e-5);
  EXPECT_EQ(losses[1].item<double>(), 0);
  // The derivative by central differences in fp64, whose error is about 1e-8 at this width.
  constexpr double kStep = 1e-5;
  for (int64_t t = 0; t < 4; ++t)
    for (int64_t id = 0; id < 7; ++id) {
      at::Tensor above = exact.clone(), below = exact.clone();
      above[t][id] += kStep;
      below[t][id] -= kStep;
      const double slope =
          (smoothed_sum(above, labels, options) - smoothed_sum(below, labels, options)) / (2 * kStep);
      EXPECT_NEAR(logits[t][id].item<double>(), 0.5 * slope, 1e-6);
    }
}

struct PairCase {
  at::Tensor losses = at::tensor({1.0, 2.0, 0.0, 0.5, 0.25, 3.0, 1.5, 0.0}, at::kDouble);
  at::Tensor labels = at::tensor({1, 1, -100, 1, 1, 1, 1, -100}, at::kLong);
  Targets targets;
  PairCase() {
    targets.pairs = true;
    targets.count = 1;
    targets.places = at::tensor({0, 3, 8}, at::kLong);
    targets.values = at::tensor({-2.5, -6.0}, at::kDouble).view({1, 2});
  }
};

TEST(TokenLoss, PairsFollowDpo) {
  const PairCase one;
  LossOptions options;
  options.beta = 0.3;
  const PairLosses pairs = pair_losses(one.losses, one.labels, one.targets, options);
  // log-probabilities -3 and -5.25; the difference of the log-ratios is (-3 + 2.5) - (-5.25 + 6)
  const double z = 0.3 * -1.25, sigmoid = 1 / (1 + std::exp(-z));
  EXPECT_NEAR(pairs.sum.loss, -std::log(sigmoid), 1e-12);
  EXPECT_EQ(pairs.sum.num_tokens, 1);
  EXPECT_NEAR(pairs.weights[0], 0.3 * (1 - sigmoid), 1e-6) << "more loss of the preferred answer is worse";
  EXPECT_NEAR(pairs.weights[5], -0.3 * (1 - sigmoid), 1e-6);
}

TEST(TokenLoss, PairsFollowIpoOnMeans) {
  PairCase one;
  one.targets.values = at::tensor({-1.0, -1.5}, at::kDouble).view({1, 2});
  LossOptions options;
  options.preference = PreferenceLoss::ipo;
  options.beta = 0.5;
  const PairLosses pairs = pair_losses(one.losses, one.labels, one.targets, options);
  const double difference = (-1.5 + 1.0) - (-5.25 / 4 + 1.5), distance = difference - 1;
  EXPECT_NEAR(pairs.sum.loss, distance * distance, 1e-12);
  EXPECT_NEAR(pairs.weights[1], -2 * distance / 2, 1e-6);
  EXPECT_NEAR(pairs.weights[6], 2 * distance / 4, 1e-6);
}

}  // namespace
}  // namespace galore
