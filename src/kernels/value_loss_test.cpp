#include "kernels/value_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

// The numbers of targets lie inside of the support, at its ends and beyond them; row 3 has none.
at::Tensor numbers_around(const ValueSupport& support, int64_t rows) {
  const at::Tensor numbers =
      at::linspace(support.v_min - 1, support.v_max + 1, rows, at::kDouble).unsqueeze(1).contiguous();
  numbers[0] = support.v_min;
  numbers[1] = support.v_max;
  numbers[3] = NAN;
  return numbers;
}

struct Computed {
  Computed(const at::Tensor& given, const at::Tensor& targets, const ValueSupport& support, bool plainly) {
    gradient = given.clone();
    out.losses = at::empty({given.size(0)}, at::kDouble);
    out.entropies = at::empty_like(out.losses);
    (plainly ? reference::value_loss : galore::value_loss)(out, gradient, targets, support, 0.37);
  }
  ValueLosses out;
  at::Tensor gradient;
};

void expect_the_plain_results(const ValueSupport& support, const at::Tensor& targets) {
  const at::Tensor logits = random({targets.size(0), support.num_outputs()}, at::kFloat, 1) * 3;
  const Computed fast(logits, targets, support, false), plain(logits, targets, support, true);
  EXPECT_LT(relative_difference(fast.out.losses, plain.out.losses), tolerance(at::kFloat));
  // Entropies near 0, such as those of two_hot near a location, have the absolute error of an fp32 logarithm.
  EXPECT_LT((fast.out.entropies - plain.out.entropies).abs().max().item<double>(), 1e-6);
  EXPECT_LT(relative_difference(fast.gradient, plain.gradient), tolerance(at::kFloat));
  EXPECT_EQ(fast.out.losses[3].item<double>(), 0);
  EXPECT_EQ(fast.gradient[3].abs().max().item<float>(), 0);
  const at::Tensor kept = logits.clone();
  value_loss(fast.out, kept, targets, support, std::nullopt);
  EXPECT_TRUE(at::equal(kept, logits));
  EXPECT_LT(relative_difference(fast.out.losses, plain.out.losses), tolerance(at::kFloat));
}

TEST(ValueLoss, IsThePlainOneForEveryHead) {
  for (const ValueLoss loss :
       {ValueLoss::mse, ValueLoss::two_hot, ValueLoss::hl_gauss, ValueLoss::c51, ValueLoss::quantile})
    for (const int64_t bins : {2, 7, 51, 128})
      for (const double ratio : {0.25, 0.75, 40.0}) {
        SCOPED_TRACE(std::string(value_loss_name(loss)) + " " + std::to_string(bins));
        const ValueSupport support{loss, -3, 5, bins, ratio, 0.8};
        expect_the_plain_results(support, numbers_around(support, 23));
      }
}

TEST(ValueLoss, TakesDistributionsAndSamples) {
  const ValueSupport c51{ValueLoss::c51, -3, 5, 19}, quantile{ValueLoss::quantile, 0, 0, 19};
  const at::Tensor shares = random({11, 19}, at::kDouble, 4).softmax(1);
  shares[3] = NAN;
  expect_the_plain_results(c51, shares);
  const at::Tensor samples = random({11, 5}, at::kDouble, 5);
  samples[3] = NAN;
  expect_the_plain_results(quantile, samples);
}

// The table has the entropies of the target distributions of section 3.1 of arXiv 2403.03950 in fp64. With
// equal logits the gradient is 1 / m minus the target, which gives the distribution itself.
TEST(ValueLoss, HasTheEntropiesAndDistributionsOfHlGauss) {
  const ValueSupport support;
  const at::Tensor values = at::tensor({0.0, 0.1, 0.196078, 9.0, 9.9, 10.0}, at::kDouble).unsqueeze(1);
  const at::Tensor entropies =
      at::tensor({1.200301, 1.200324, 1.200346, 1.197667, 0.625941, 0.507198}, at::kDouble);
  const at::Tensor reads = at::tensor({0.0, 0.099998, 0.196078, 8.999597, 9.698372, 9.729354}, at::kDouble);
  at::Tensor gradient = at::zeros({6, 51}, at::kFloat);
  const ValueLosses out{at::empty({6}, at::kDouble), at::empty({6}, at::kDouble)};
  value_loss(out, gradient, values, support, 1);
  EXPECT_LT((out.entropies - entropies).abs().max().item<double>(), 1e-6);
  const at::Tensor shares = 1.0 / 51 - gradient.to(at::kDouble);
  const auto places = locations(support);
  EXPECT_LT((shares.mv(at::tensor(places, at::kDouble)) - reads).abs().max().item<double>(), 2e-6);
  EXPECT_NEAR(shares[1][26].item<double>(), .323503, 1e-6);
  EXPECT_NEAR(shares[4][49].item<double>(), .237386, 1e-6);
  EXPECT_LT((out.losses - std::log(51.0)).abs().max().item<double>(), 1e-6);
}

TEST(ValueLoss, OfQuantilesWeighsErrorsByTheirSide) {
  const ValueSupport support{ValueLoss::quantile, 0, 0, 2, 0.75, 1};
  const at::Tensor outputs = at::tensor({0.0f, 3.0f}).view({1, 2});
  const ValueLosses out{at::empty({1}, at::kDouble), at::empty({1}, at::kDouble)};
  value_loss(out, outputs, at::full({1, 1}, 0.5, at::kDouble), support, 1);
  // 0.25 * 0.5^2 / 2 for the output below the target, (1 - 0.75) * (2.5 - 0.5) for the one above it
  EXPECT_NEAR(out.losses.item<double>(), 0.25 * 0.125 + 0.25 * 2, 1e-6);
  EXPECT_NEAR(outputs[0][0].item<double>(), -0.25 * 0.5, 1e-6);
  EXPECT_NEAR(outputs[0][1].item<double>(), 0.25, 1e-6);
}

TEST(ValueLoss, StaysFiniteForLargeLogitsAndShowsNotANumber) {
  const ValueSupport support;
  const at::Tensor logits = random({5, 51}, at::kFloat, 2) * 1e5, targets = at::zeros({5, 1}, at::kDouble);
  logits[1][50] = NAN;
  const ValueLosses out{at::empty({5}, at::kDouble), at::empty({5}, at::kDouble)};
  value_loss(out, logits, targets, support, 1);
  EXPECT_TRUE(std::isnan(out.losses[1].item<double>()));
  EXPECT_TRUE(std::isfinite(out.losses[2].item<double>()));
  EXPECT_TRUE(logits[2].isfinite().all().item<bool>());
}

}  // namespace
}  // namespace galore
