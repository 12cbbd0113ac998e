#include "heads/value_backup.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/value_loss.h"

namespace galore {
namespace {

const double kNone = std::nan("");

// Two episodes: three steps to an end, then one step whose next state is the last place.
at::Tensor transitions(double lambda) {
  return at::tensor(
             {1.0, 0.5, lambda, 2.0, 0.5, lambda, 4.0, 0.0, lambda, 3.0, 0.5, lambda, kNone, 0.0, lambda},
             at::kDouble)
      .view({5, 3});
}

const ValueSupport kNumber{ValueLoss::mse};

at::Tensor values() { return at::tensor({10.0f, 20.0f, 30.0f, 40.0f, 50.0f}).unsqueeze(1); }

void expect_targets(const at::Tensor& given, const std::vector<double>& expected) {
  ASSERT_EQ(given.numel(), static_cast<int64_t>(expected.size()) + 1);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(given.view({-1})[static_cast<int64_t>(i)].item<double>(), expected[i], 1e-9) << i;
  EXPECT_TRUE(std::isnan(given.view({-1})[4].item<double>()));
}

TEST(Backup, LambdaReturnsMixValuesAndReturns) {
  const auto targets = [](double lambda) {
    return backed_up_targets(kNumber, values(), transitions(lambda), 0);
  };
  expect_targets(targets(0), {1 + 0.5 * 20, 2 + 0.5 * 30, 4, 3 + 0.5 * 50});
  expect_targets(targets(1), {1 + 0.5 * (2 + 0.5 * 4), 2 + 0.5 * 4, 4, 3 + 0.5 * 50});
  const double second = 2 + 0.5 * (0.75 * 30 + 0.25 * 4);
  expect_targets(targets(0.25), {1 + 0.5 * (0.75 * 20 + 0.25 * second), second, 4, 3 + 0.5 * 50});
}

TEST(Backup, NStepReturnsEndWithTheEpisode) {
  const auto targets = [](int64_t steps) {
    return backed_up_targets(kNumber, values(), transitions(0.3), steps);
  };
  expect_targets(targets(1), {11, 17, 4, 28});
  expect_targets(targets(2), {1 + 0.5 * 2 + 0.25 * 30, 2 + 0.5 * 4, 4, 28});
  expect_targets(targets(9), {1 + 0.5 * 2 + 0.25 * 4, 4, 4, 28});
}

// The mean of a projected distribution is the mean that went in, as long as nothing is clipped.
TEST(Backup, OfDistributionsKeepsTheirMeans) {
  const ValueSupport c51{ValueLoss::c51, -100, 100, 41};
  const at::Tensor outputs = (at::arange(5 * 41, at::kFloat) * 0.7).sin().view({5, 41}) * 4;
  at::Tensor means = at::empty({5, 1}, at::kFloat);
  for (int64_t i = 0; i < 5; ++i)
    means[i] = static_cast<float>(read_out(c51, {outputs[i].const_data_ptr<float>(), 41}).value);
  const at::Tensor places = at::tensor(locations(c51), at::kDouble);
  for (const int64_t steps : {0, 2}) {
    const at::Tensor shares = backed_up_targets(c51, outputs, transitions(0.4), steps);
    const at::Tensor expected = backed_up_targets(kNumber, means, transitions(0.4), steps);
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(shares[i].sum().item<double>(), 1, 1e-9);
      EXPECT_NEAR(shares[i].dot(places).item<double>(), expected[i].item<double>(), 1e-4);
    }
    EXPECT_TRUE(std::isnan(shares[4][0].item<double>()));
  }
}

TEST(Backup, OfQuantilesMovesTheSamples) {
  ValueSupport support{ValueLoss::quantile};
  support.num_bins = 3;
  const at::Tensor outputs = at::arange(15, at::kFloat).view({5, 3});
  const at::Tensor targets = backed_up_targets(support, outputs, transitions(0), 0);
  EXPECT_TRUE(at::allclose(targets[0], at::tensor({2.5, 3.0, 3.5}, at::kDouble)));
  EXPECT_TRUE(at::allclose(targets[2], at::full({3}, 4.0, at::kDouble)));
}

TEST(Backup, OfSeparateStepsIsTheOneStepTarget) {
  const at::Tensor rewards = at::tensor({1.0, 4.0}), discounts = at::tensor({0.5, 0.0});
  const at::Tensor next = values().slice(0, 1, 3);
  const at::Tensor targets = one_step_targets(kNumber, rewards, discounts, next);
  EXPECT_TRUE(at::allclose(targets.view({-1}), at::tensor({11.0, 4.0}, at::kDouble)));
}

}  // namespace
}  // namespace galore
