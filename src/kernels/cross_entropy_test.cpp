#include "kernels/cross_entropy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class CrossEntropy : public testing::TestWithParam<std::tuple<at::ScalarType, int64_t>> {
 protected:
  at::ScalarType dtype_ = std::get<0>(GetParam());
  int64_t vocabulary_ = std::get<1>(GetParam());
  at::Tensor logits_ = random({11, vocabulary_}, dtype_, 1) * 3;
  at::Tensor labels_ = at::arange(11, at::kLong).remainder(vocabulary_);
  at::Tensor losses_ = at::empty({11}, at::kDouble), expected_losses_ = at::empty({11}, at::kDouble);
};

TEST_P(CrossEntropy, LossAndGradientAreTheComposedOnes) {
  labels_[4] = kIgnoredLabel;
  const at::Tensor gradient = logits_.clone(), expected = logits_.clone();
  cross_entropy(losses_, gradient, labels_, 0.37);
  reference::cross_entropy(expected_losses_, expected, labels_, 0.37);
  EXPECT_LT(relative_difference(losses_, expected_losses_), tolerance(at::kFloat));
  EXPECT_LT(relative_difference(gradient, expected), tolerance(dtype_));
  EXPECT_EQ(losses_[4].item<double>(), 0);
  EXPECT_EQ(gradient[4].abs().sum().item<float>(), 0);
}

TEST_P(CrossEntropy, LossAloneLeavesTheLogits) {
  const at::Tensor logits = logits_.clone();
  cross_entropy_loss(losses_, logits, labels_);
  reference::cross_entropy_loss(expected_losses_, logits_, labels_);
  EXPECT_LT(relative_difference(losses_, expected_losses_), tolerance(at::kFloat));
  EXPECT_TRUE(at::equal(logits, logits_));
}

TEST_P(CrossEntropy, LargeLogitsAndNotANumber) {
  const at::Tensor logits = logits_.clone() * 1e4;
  cross_entropy_loss(losses_, logits, labels_);
  EXPECT_TRUE(losses_.isfinite().all().item<bool>());
  logits[3][vocabulary_ - 1] = NAN;
  cross_entropy_loss(losses_, logits, labels_);
  EXPECT_TRUE(std::isnan(losses_[3].item<double>()));
  EXPECT_FALSE(std::isnan(losses_[2].item<double>()));
}

INSTANTIATE_TEST_SUITE_P(Shapes, CrossEntropy,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Values(3, 32, 61, 1000)));

}  // namespace
}  // namespace galore
