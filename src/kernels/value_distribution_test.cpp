#include "kernels/value_distribution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/errors.h"
#include "core/test_message.h"

namespace galore {
namespace {

std::vector<double> target(const ValueSupport& support, double value) {
  std::vector<double> probabilities(static_cast<size_t>(support.num_bins));
  target_of(support, value, probabilities);
  return probabilities;
}

double mean(const ValueSupport& support, const std::vector<double>& probabilities) {
  const auto places = locations(support);
  return std::inner_product(places.begin(), places.end(), probabilities.begin(), 0.0);
}

double entropy(const std::vector<double>& probabilities) {
  double sum = 0;
  for (const double p : probabilities)
    if (p > 0) sum -= p * std::log(p);
  return sum;
}

// The numbers follow from the formula of section 3.1 of arXiv 2403.03950, computed in fp64 with erf.
TEST(HlGauss, GivesTheDistributionOfThePaper) {
  const ValueSupport support;
  struct Known {
    double value, read_out, entropy;
    size_t bin;
    double probability;
  };
  for (const Known& known :
       {Known{0, 0, 1.200301, 25, .495015}, Known{0.1, 0.099998, 1.200324, 26, .323503},
        Known{0.196078, 0.196078, 1.200346, 25, .408789}, Known{9.0, 8.999597, 1.197667, 47, .247739},
        Known{9.9, 9.698372, 0.625941, 49, .237386}, Known{10.0, 9.729354, 0.507198, 50, .817578}}) {
    const auto probabilities = target(support, known.value);
    EXPECT_NEAR(mean(support, probabilities), known.read_out, 1e-6) << known.value;
    EXPECT_NEAR(entropy(probabilities), known.entropy, 1e-6) << known.value;
    EXPECT_NEAR(probabilities[known.bin], known.probability, 1e-6) << known.value;
  }
}

TEST(Targets, OutsideOfTheSupportAreMovedToItsEnds) {
  for (const ValueLoss loss : {ValueLoss::two_hot, ValueLoss::hl_gauss, ValueLoss::c51}) {
    const ValueSupport support{loss};
    EXPECT_EQ(target(support, 1e9), target(support, 10));
    EXPECT_EQ(target(support, -1e9), target(support, -10));
    for (const double value : {-10.0, -3.3, 0.0, 9.99}) {
      const auto probabilities = target(support, value);
      EXPECT_NEAR(std::accumulate(probabilities.begin(), probabilities.end(), 0.0), 1, 1e-12);
    }
  }
}

TEST(TwoHot, SplitsAValueBetweenItsNeighbours) {
  const ValueSupport support{ValueLoss::two_hot, 0, 10, 11};
  const auto probabilities = target(support, 3.25);
  EXPECT_NEAR(probabilities[3], 0.75, 1e-12);
  EXPECT_NEAR(probabilities[4], 0.25, 1e-12);
  EXPECT_NEAR(mean(support, probabilities), 3.25, 1e-12);
  EXPECT_EQ(target(support, 10)[10], 1);
}

TEST(C51, ProjectsADistribution) {
  const ValueSupport support{ValueLoss::c51, 0, 4, 5};
  std::vector<double> probabilities(5);
  const std::vector<double> values{0.5, 2, 7}, masses{0.5, 0.25, 0.25};
  project(support, values, masses, probabilities);
  EXPECT_EQ(probabilities, (std::vector<double>{0.25, 0.25, 0.25, 0, 0.25}));
}

// The tolerance covers a central difference of fp32 logits.
TEST(Losses, HaveTheGradientOfTheirDifferences) {
  const ValueSupport support{ValueLoss::hl_gauss, -1, 1, 7};
  const std::vector<float> logits{0.3f, -0.2f, 0.9f, 0.1f, -0.7f, 0.4f, 0.2f};
  const std::vector<float> others{-0.1f, 0.5f, 0.2f, -0.9f, 0.3f, 0.8f, 0.1f};
  const auto probabilities = target(support, 0.21);
  const auto check = [&](const auto& loss_of) {
    std::vector<float> gradient = logits;
    loss_of(gradient, 1.0);
    for (size_t i = 0; i < logits.size(); ++i) {
      std::vector<float> above = logits, below = logits;
      above[i] += 1e-2f, below[i] -= 1e-2f;
      EXPECT_NEAR(gradient[i], (loss_of(above, 1.0) - loss_of(below, 1.0)) / 2e-2, 2e-4) << i;
    }
  };
  check([&](std::vector<float>& x, double scale) { return cross_entropy_of(x, probabilities, scale); });
  check([&](std::vector<float>& x, double scale) {
    std::vector<float> rejected = others;
    return preference_loss_of(support, x, rejected, scale);
  });
  check([&](std::vector<float>& x, double scale) {
    std::vector<float> preferred = others;
    return preference_loss_of(support, preferred, x, scale);
  });
  std::vector<float> one{0.5f};
  EXPECT_NEAR(squared_error_of(one, 2, 0.5), 2.25, 1e-12);
  EXPECT_NEAR(one[0], -1.5, 1e-6);
}

TEST(ReadOut, IsTheMeanAndItsDeviation) {
  const ValueSupport support{ValueLoss::c51, 0, 2, 3};
  const std::vector<float> even{1, 1, 1};
  EXPECT_NEAR(read_out(support, even).value, 1, 1e-12);
  EXPECT_NEAR(read_out(support, even).deviation, std::sqrt(2.0 / 3), 1e-12);
  ValueSupport quantiles{ValueLoss::quantile};
  quantiles.num_bins = 4;
  const std::vector<float> outputs{-1, 0, 1, 4};
  EXPECT_NEAR(read_out(quantiles, outputs).value, 1, 1e-12);
  EXPECT_NEAR(read_out(quantiles, outputs).deviation, std::sqrt(14.0 / 4), 1e-12);
  const std::vector<float> number{-3.5f};
  EXPECT_EQ(read_out({ValueLoss::mse}, number).value, -3.5);
}

TEST(ValueSupport, RefusesWhatHasNoBins) {
  EXPECT_EQ(message_of([] {
              check({ValueLoss::c51, 1, 1});
            }),
            "[value_head_args] expected v_min below v_max, given 1 and 1");
  EXPECT_EQ(message_of([] {
              check({ValueLoss::c51, 0, 1, 1});
            }),
            "[value_head_args] num_bins: expected 2 to 1048576, given 1");
  EXPECT_EQ(message_of([] {
              check({ValueLoss::quantile, 0, 0, 5, 0.75, 0});
            }),
            "[value_head_args] kappa: expected above 0, given 0");
  EXPECT_EQ(message_of([] { value_loss_from_name("gauss"); }),
            "[value_head] expected mse, two_hot, hl_gauss, c51, quantile or bradley_terry, given 'gauss'");
}

}  // namespace
}  // namespace galore
