#include "heads/value_learning.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/test_message.h"
#include "kernels/test_tensors.h"
#include "kernels/value_loss.h"

namespace galore {
namespace {
using namespace testing_tensors;

at::Tensor leaf(at::IntArrayRef shape, uint64_t seed) {
  at::Tensor tensor = random(shape, at::kFloat, seed);
  tensor.set_requires_grad(true);
  return tensor;
}

TEST(ValueLearning, LossesHaveTheKernelsValuesAndGradients) {
  for (const ValueLoss loss :
       {ValueLoss::mse, ValueLoss::two_hot, ValueLoss::hl_gauss, ValueLoss::c51, ValueLoss::quantile}) {
    const ValueSupport support{loss, -2, 2, 9};
    const at::Tensor outputs = leaf({6, support.num_outputs()}, 3);
    const at::Tensor targets = at::linspace(-1.5, 1.5, 6, at::kDouble);
    const at::Tensor weights = at::arange(1, 7, at::kFloat);
    const at::Tensor losses = value_losses(support, outputs, targets);
    (losses * weights).sum().backward();
    const ValueLosses expected{at::empty({6}, at::kDouble), at::empty({6}, at::kDouble)};
    const at::Tensor gradient = outputs.detach().clone();
    reference::value_loss(expected, gradient, targets.unsqueeze(1), support, 1);
    EXPECT_LT(relative_difference(losses, expected.losses), tolerance(at::kFloat)) << value_loss_name(loss);
    EXPECT_LT(relative_difference(outputs.grad(), gradient * weights.unsqueeze(1)), tolerance(at::kFloat));
    EXPECT_LT((target_entropies(support, targets) - expected.entropies).abs().max().item<double>(), 1e-6);
  }
}

TEST(ValueLearning, ReadOutsAreThoseOfSingleRowsAndHaveGradients) {
  for (const ValueLoss loss : {ValueLoss::mse, ValueLoss::hl_gauss, ValueLoss::quantile}) {
    const ValueSupport support{loss, -2, 2, 9};
    const int64_t count = support.num_outputs();
    const at::Tensor outputs = leaf({2, 3, count}, 5);
    const at::Tensor values = value_readouts(support, outputs), spreads = value_deviations(support, outputs);
    const at::Tensor rows = outputs.detach().contiguous().view({6, count});
    for (int64_t i = 0; i < 6; ++i) {
      const auto read = read_out(support, {rows[i].const_data_ptr<float>(), static_cast<size_t>(count)});
      EXPECT_NEAR(values.view({-1})[i].item<double>(), read.value, 1e-6);
      EXPECT_NEAR(spreads.view({-1})[i].item<double>(), read.deviation, 1e-6);
    }
    values.sum().backward();
    EXPECT_GT(outputs.grad().abs().sum().item<float>(), 0);
  }
}

TEST(ValueLearning, PreferencesAndWrongShapes) {
  const at::Tensor better = at::tensor({1.0f, -40.0f}), worse = at::tensor({0.0f, 60.0f});
  const at::Tensor losses = preference_losses(better, worse);
  EXPECT_NEAR(losses[0].item<double>(), std::log1p(std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(losses[1].item<double>(), 100, 1e-4);
  EXPECT_EQ(message_of([] {
              value_losses({ValueLoss::c51, 0, 1, 5}, at::zeros({2, 4}), at::zeros({2}));
            }),
            "[value_losses] expected N x 5 outputs, and N targets or N x k as the head takes them, given [2, "
            "4] and [2]");
}

}  // namespace
}  // namespace galore
