#include "mixtures/weight_learner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/errors.h"
#include "core/random.h"
#include "core/test_message.h"

namespace galore {
namespace {

// Answers a measurement by functions of the step.
struct ScriptedProbe : MixtureProbe {
  std::function<std::vector<double>(int64_t)> rewards;
  GradientGram fixed_gram;
  std::vector<double> present_losses;

  Alignment alignment(int64_t step) override { return {rewards(step)}; }
  GradientGram gram(int64_t /*step*/) override { return fixed_gram; }
  std::vector<double> losses() override { return present_losses; }
};

std::unique_ptr<WeightLearner> learner_of(const std::string& method, const std::string& args,
                                          const std::vector<double>& weights) {
  return make_learner(parse_learning(method, args), weights, /*seed=*/3);
}

void run(WeightLearner& learner, ScriptedProbe& probe, int64_t steps, double rate = 0.1) {
  for (int64_t step = 0; step <= steps; ++step) learner.advance({step, rate}, probe);
}

TEST(Gar, OneMeasurementOnAQuadraticHasItsClosedForm) {
  // The losses of the sources are |theta - c_k|^2 / 2, that of the target is |theta|^2 / 2: the rewards are
  // <theta - c_k, theta>.
  const std::vector<double> theta{2, 1};
  const std::vector<std::vector<double>> centres{{0, 0}, {4, 0}, {0, -3}};
  ScriptedProbe probe;
  probe.rewards = [&](int64_t) {
    std::vector<double> rewards;
    for (const auto& c : centres)
      rewards.push_back((theta[0] - c[0]) * theta[0] + (theta[1] - c[1]) * theta[1]);
    return rewards;  // 5, -3, 8
  };
  const auto learner =
      learner_of("gar", "update_steps=10,learning_rate=0.2,exploration=0", {0.5, 0.25, 0.25});
  run(*learner, probe, 10);
  const double baseline = 0.5 * 5 - 0.25 * 3 + 0.25 * 8, scale = std::sqrt((25.0 + 9 + 64) / 3);
  std::vector<double> expected{0.5 * std::exp(0.2 * (5 - baseline) / scale),
                               0.25 * std::exp(0.2 * (-3 - baseline) / scale),
                               0.25 * std::exp(0.2 * (8 - baseline) / scale)};
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
  for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(learner->sampling()[k], expected[k] / sum, 1e-12);
}

TEST(Gar, ASourceOfNoiseLosesWeightAndEqualSourcesKeepIt) {
  ScriptedProbe probe;
  probe.rewards = [](int64_t step) {
    RandomStream random(5, "test rewards", "", static_cast<uint64_t>(step));
    const auto noise = [&] { return 0.2 * (random.uniform() - 0.5); };
    return std::vector<double>{1 + noise(), 1 + noise(), noise()};
  };
  const auto learner = learner_of("gar", "update_steps=1,exploration=0.06", {0.3, 0.3, 0.4});
  run(*learner, probe, 200);
  const auto weights = learner->sampling();
  EXPECT_NEAR(weights[2], 0.06 / 3, 2e-3);  // the share that exploration keeps
  // The difference of the two walks at random: its standard deviation is about
  // eta sqrt(200) 0.2 sqrt(2 / 12) / 0.8 = 0.14 in the logarithm.
  EXPECT_NEAR(std::log(weights[0] / weights[1]), 0, 5 * 0.14);
  EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-12);
}

TEST(Gar, IgnoresMeasurementsThatAreNotFinite) {
  ScriptedProbe probe;
  probe.rewards = [](int64_t) { return std::vector<double>{1, std::nan("")}; };
  const auto learner = learner_of("gar", "update_steps=1,exploration=0", {0.3, 0.7});
  run(*learner, probe, 5);
  EXPECT_NEAR(learner->sampling()[0], 0.3, 1e-12);
}

TEST(Gar, ASourceWithoutWeightKeepsNone) {
  ScriptedProbe probe;
  probe.rewards = [](int64_t) { return std::vector<double>{1, 100, 0.5}; };
  const auto learner = learner_of("gar", "update_steps=1", {0.5, 0, 0.5});
  run(*learner, probe, 20);
  EXPECT_EQ(learner->sampling()[1], 0);
  EXPECT_GT(learner->sampling()[0], 0.6);
}

TEST(Doge, FollowsItsFormula) {
  ScriptedProbe probe;
  probe.fixed_gram.products = {{4, 1, -1}, {1, 100, 2}, {-1, 2, 9}};
  const auto learner = learner_of("doge", "update_steps=1,mu=0.5,max_norm=5,epsilon=0.1", {0.2, 0.3, 0.5});
  const double rate = 0.1;
  learner->advance({1, rate}, probe);
  // The gradient of source 1 has the norm 10 and is halved; the mean norm is (2 + 5 + 3) / 3.
  const double mean = 10.0 / 3;
  const std::vector<double> sums{0.5 - 1, 0.5 + 1, -1 + 1};
  std::vector<double> expected{0.2, 0.3, 0.5};
  for (size_t j = 0; j < 3; ++j)
    expected[j] *= std::exp(std::clamp(rate * sums[j] / mean, 0.0, 5 * rate) / 0.5);
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
  for (size_t j = 0; j < 3; ++j)
    EXPECT_NEAR(learner->sampling()[j], 0.9 * expected[j] / sum + 0.1 / 3, 1e-12);
}

TEST(Doge, RatesSourcesByATarget) {
  ScriptedProbe probe;
  probe.fixed_gram.products = {{1, 0}, {0, 1}};
  probe.fixed_gram.with_target = {0.5, -0.5};
  probe.fixed_gram.target_norm = 10;  // halved
  const auto learner = learner_of("doge", "update_steps=1,mu=0.1,target=uniform", {0.5, 0.5});
  learner->advance({1, 0.1}, probe);
  EXPECT_NEAR(std::log(learner->sampling()[0] / learner->sampling()[1]), 0.1 * 0.25 / 0.1, 1e-12);
}

// Lets the losses follow the linear mixing law with the matrix A for `steps` updates.
void follow_the_law(WeightLearner& learner, ScriptedProbe& probe,
                    const std::vector<std::vector<double>>& matrix, int64_t steps) {
  for (int64_t step = 0; step <= steps; ++step) {
    if (step > 0)
      for (size_t i = 0; i < matrix.size(); ++i)
        for (size_t j = 0; j < matrix.size(); ++j)
          probe.present_losses[i] -= matrix[i][j] * learner.sampling()[j];
    learner.advance({step, 0.1}, probe);
  }
}

TEST(Aioli, FindsTheMatrixOfALinearLaw) {
  const std::vector<std::vector<double>> matrix{{0.03, 0.01, 0}, {0.02, 0.05, -0.01}, {0, 0.01, 0.02}};
  ScriptedProbe probe;
  probe.present_losses = {5, 6, 7};
  const auto learner = learner_of(
      "aioli", "update_steps=20,lp_steps=2,lp_rounds=3,one_hot_factor=0.7,eta=1.5,ema=0", {0.2, 0.3, 0.5});
  follow_the_law(*learner, probe, matrix, 18);
  // A turn has two updates, so the matrix that the turns see is twice that of an update.
  std::vector<double> expected{0.2 * std::exp(1.5 * 2 * 0.05), 0.3 * std::exp(1.5 * 2 * 0.07),
                               0.5 * std::exp(1.5 * 2 * 0.01)};
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
  for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(learner->sampling()[j], expected[j] / sum, 1e-9);
}

TEST(Aioli, TakesTurnsInEachRound) {
  ScriptedProbe probe;
  probe.present_losses = {5, 6};
  const auto learner = learner_of("aioli", "update_steps=10,lp_steps=2,lp_rounds=2", {0.5, 0.5});
  std::vector<double> turns(2, 0);
  for (int64_t step = 0; step < 10; ++step) {
    learner->advance({step, 0.1}, probe);
    for (size_t k = 0; k < 2 && step < 8; ++k) turns[k] += learner->sampling()[k];
  }
  EXPECT_EQ(turns, (std::vector<double>{4, 4}));
  EXPECT_NEAR(learner->sampling()[0], 0.5, 1e-12);  // the losses did not fall
  EXPECT_TRUE(contains(message_of([] {
                         learner_of("aioli", "update_steps=8,lp_steps=4", {0.5, 0.5});
                       }),
                       "expected above the 8 updates"));
  EXPECT_TRUE(contains(message_of([] {
                         learner_of("aioli", "one_hot_factor=0.5", {0.5, 0.5});
                       }),
                       "one_hot_factor: expected above 0.5"));
}

// A learner that takes over another one's state goes on as that one does, at every step.
TEST(WeightLearner, StateIsWhole) {
  for (const auto& [method, args] :
       std::map<std::string, std::string>{{"gar", "update_steps=3"},
                                          {"doge", "update_steps=3"},
                                          {"aioli", "update_steps=9,lp_steps=2,one_hot_factor=0.8"}}) {
    const auto probe_at = [](int64_t step) {
      const auto at = static_cast<double>(step);
      ScriptedProbe probe;
      probe.rewards = [](int64_t s) { return std::vector<double>{std::sin(s), std::cos(s)}; };
      probe.fixed_gram.products = {{1, std::sin(at)}, {std::sin(at), 2}};
      probe.present_losses = {5 + std::sin(at), 6 + std::cos(at)};
      return probe;
    };
    for (int64_t stop = 0; stop < 25; ++stop) {
      const auto whole = learner_of(method, args, {0.4, 0.6}), resumed = learner_of(method, args, {0.4, 0.6});
      std::map<std::string, double> state;
      for (int64_t step = 0; step < 40; ++step) {
        ScriptedProbe probe = probe_at(step);
        whole->advance({step, 0.1}, probe);
        if (step == stop) {
          whole->visit([&](const std::string& name, double& number) { state[name] = number; });
          resumed->visit([&](const std::string& name, double& number) { number = state.at(name); });
        }
        if (step > stop) resumed->advance({step, 0.1}, probe);
        if (step >= stop) {
          ASSERT_EQ(resumed->sampling(), whole->sampling()) << method << " " << stop << " " << step;
        }
      }
    }
  }
}

TEST(LearningOptions, TargetsAreMixturesOfSources) {
  const std::vector<std::string> names{"a", "b", "c"};
  EXPECT_EQ(target_weights("a:1+c:3", names), (std::vector<double>{0.25, 0, 0.75}));
  EXPECT_EQ(target_weights("b", names), (std::vector<double>{0, 1, 0}));
  EXPECT_NEAR(target_weights("uniform", names)[2], 1.0 / 3, 1e-12);
  EXPECT_TRUE(target_weights("next", names).empty());
  EXPECT_TRUE(contains(message_of([&] { target_weights("clean", names); }), "given 'clean'"));
  EXPECT_TRUE(contains(message_of([&] { target_weights("a:0", names); }), "above 0"));
}

TEST(LearningOptions, RefusesWhatAMethodDoesNotHave) {
  EXPECT_TRUE(contains(message_of([] { parse_learning("none", "rows=1"); }), "expected mixture_learning"));
  EXPECT_TRUE(contains(message_of([] { parse_learning("doge", "form=products"); }), "unknown option 'form'"));
  EXPECT_TRUE(contains(message_of([] { parse_learning("gar", "target=sources"); }), "expected next"));
  EXPECT_TRUE(contains(message_of([] { parse_learning("gar", "form=directional,inner=both"); }), "exact"));
}

TEST(LearningOptions, MeasurementsCostAtMostAShareOfTheUpdates) {
  for (const std::string method : {"gar", "doge", "aioli"}) {
    LearningOptions options = parse_learning(method, "update_steps=300");
    const int64_t rows = measured_rows(options, 4, 32, 1000);
    // The cost of the rows in trained rows, by a rule of its own: a source takes at most 4/3 of a training
    // step, and Aioli evaluates 4 sources 5 times for a third.
    const double most = method == "aioli" ? 5 * 4 / 3.0 : 1 + 4 * 4 / 3.0;
    EXPECT_LE(static_cast<double>(rows) * most, 0.05 * 300 * 32 * (method == "doge" ? 1.6 : 1.0)) << method;
    EXPECT_GT(rows, 40) << method;
    EXPECT_EQ(measured_rows(options, 4, 32, 8), 8);
  }
  EXPECT_EQ(measured_rows(parse_learning("gar", "update_steps=1"), 4, 1, 8), 1);
  EXPECT_EQ(measured_rows(parse_learning("gar", "rows=5"), 4, 1, 8), 5);
}

}  // namespace
}  // namespace galore
