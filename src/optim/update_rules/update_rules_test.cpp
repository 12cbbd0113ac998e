// Compares the rules with their formulas in fp64. The tolerance of 1e-5 is absolute: directions are of order
// 1, each step rounds a few times in fp32 (6e-8), and a first moment that nearly cancels has no relative
// precision.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "optim/test_optimizer.h"
#include "optim/update_rules/adafactor.h"
#include "optim/update_rules/adamw.h"
#include "optim/update_rules/rms_prop.h"
#include "optim/update_rules/sgd.h"

namespace galore {
namespace {

using testing_optimizer::random;

constexpr double kTolerance = 1e-5;

class Rules : public testing::Test {
 protected:
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

double largest_difference(const at::Tensor& given, const at::Tensor& expected) {
  return (given.to(at::kDouble) - expected).abs().max().item<double>();
}

TEST_F(Rules, AdamWFollowsBothPlacesOfEpsilon) {
  for (const bool before : {false, true}) {
    const AdamWOptions options{0.8, 0.95, 1e-2, before};  // an epsilon that changes the result visibly
    const auto rule = make_adamw(options, {}, {6, 50}, workspace_);
    at::Tensor m = at::zeros({6, 50}, at::kDouble), v = at::zeros({6, 50}, at::kDouble);
    for (int t = 1; t <= 6; ++t) {
      const at::Tensor g = random({6, 50}, static_cast<uint64_t>(t)) * 0.1, exact = g.to(at::kDouble);
      m = 0.8 * m + 0.2 * exact;
      v = 0.95 * v + 0.05 * exact * exact;
      const double correction1 = 1 - std::pow(0.8, t), correction2 = std::sqrt(1 - std::pow(0.95, t));
      // GaLore's code corrects m / (sqrt(v) + eps) as a whole; Adam corrects both moments first.
      const at::Tensor expected = before ? correction2 / correction1 * m / (v.sqrt() + 1e-2)
                                         : m / correction1 / (v.sqrt() / correction2 + 1e-2);
      EXPECT_LE(largest_difference(rule->direction(g.clone(), t), expected), kTolerance) << before << t;
    }
  }
}

TEST_F(Rules, AdamWStartsWithTheSignOfTheGradient) {
  const auto rule = make_adamw({}, {}, {100}, workspace_);
  const at::Tensor g = random({100}, 1);
  EXPECT_LE(largest_difference(rule->direction(g.clone(), 1), g.sign().to(at::kDouble)), kTolerance);
}

TEST_F(Rules, EightBitAdamWIsExactOnItsFirstStepAndNearLater) {
  const auto exact = make_adamw({}, {}, {64, 65}, workspace_);
  const auto coded = make_adamw({}, {"blockwise_8bit", 256, 0}, {64, 65}, workspace_);
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor g = random({64, 65}, static_cast<uint64_t>(t)) + 0.5;
    const at::Tensor a = exact->direction(g.clone(), t), b = coded->direction(g.clone(), t);
    // The first step uses the moments before they are coded. Later moments carry errors of up to 0.7 % of
    // their block's largest value (1 % of the direction's norm was observed), so 5 % holds and a wrong code
    // exceeds it.
    EXPECT_LE(testing_tensors::relative_difference(b, a), t == 1 ? 1e-6 : 0.05) << t;
  }
}

TEST_F(Rules, EightBitAdamWOfSmallTensorsIsAdamWToTheBit) {
  const auto exact = make_adamw({}, {}, {64, 65}, workspace_);
  const auto small = make_adamw({}, {"blockwise_8bit", 256, 64 * 65 + 1}, {64, 65}, workspace_);
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor g = random({64, 65}, static_cast<uint64_t>(t));
    EXPECT_TRUE(at::equal(exact->direction(g.clone(), t), small->direction(g.clone(), t)));
  }
}

struct ExactAdafactor {
  AdafactorOptions options;
  at::Tensor row, column, square, m;
  at::Tensor direction(const at::Tensor& g, int t) {
    const double beta2 = 1 - std::pow(t, options.decay_rate);
    const at::Tensor squares = g * g + options.epsilon;
    const auto average = [&](at::Tensor& old, const at::Tensor& value) {
      old = (old.defined() ? beta2 * old : at::zeros_like(value)) + (1 - beta2) * value;
    };
    at::Tensor update;
    if (g.dim() == 2) {
      average(row, squares.mean(1, true));
      average(column, squares.mean(0, true));
      update = g / (row / row.mean() * column).sqrt();
    } else {
      average(square, squares);
      update = g / square.sqrt();
    }
    const double size = update.square().mean().sqrt().item<double>();
    update = update / std::max(1.0, size / options.clip_threshold);
    if (options.beta1 == 0) return update;
    m = (m.defined() ? options.beta1 * m : at::zeros_like(update)) + (1 - options.beta1) * update;
    return m;
  }
};

TEST_F(Rules, AdafactorFollowsItsFormula) {
  for (const double beta1 : {0.0, 0.7}) {
    for (const double clip : {1.0, 0.25}) {
      for (const std::vector<int64_t>& shape : {std::vector<int64_t>{6, 50}, {50, 6}, {7, 7}, {40}}) {
        const AdafactorOptions options{beta1, -0.8, 1e-30, clip};
        const auto rule = make_adafactor(options, {}, shape, workspace_);
        ExactAdafactor exact{options, {}, {}, {}, {}};
        for (int t = 1; t <= 6; ++t) {
          const at::Tensor g = random(shape, static_cast<uint64_t>(t)) * 0.1;
          EXPECT_LE(largest_difference(rule->direction(g.clone(), t), exact.direction(g.to(at::kDouble), t)),
                    kTolerance)
              << t;
        }
      }
    }
  }
}

TEST_F(Rules, AdafactorOfZerosIsZero) {
  const auto matrix = make_adafactor({}, {}, {4, 5}, workspace_);
  const auto vector = make_adafactor({}, {}, {5}, workspace_);
  for (int t = 1; t <= 3; ++t) {
    EXPECT_TRUE(at::equal(matrix->direction(at::zeros({4, 5}), t), at::zeros({4, 5})));
    EXPECT_TRUE(at::equal(vector->direction(at::zeros({5}), t), at::zeros({5})));
  }
}

// Small integers and powers of two are exact in fp32.
TEST_F(Rules, SgdFollowsPyTorch) {
  const auto plain = make_sgd({}, {}, {2}, workspace_);
  const auto momentum = make_sgd({0.5, 0, false}, {}, {2}, workspace_);
  const auto dampened = make_sgd({0.5, 0.25, false}, {}, {2}, workspace_);
  const auto nesterov = make_sgd({0.5, 0, true}, {}, {2}, workspace_);
  const at::Tensor first = at::tensor({4.0f, -8.0f}), second = at::tensor({2.0f, 16.0f});
  EXPECT_TRUE(at::equal(plain->direction(first.clone(), 1), first));
  EXPECT_TRUE(at::equal(plain->direction(second.clone(), 2), second));
  EXPECT_TRUE(at::equal(momentum->direction(first.clone(), 1), first));
  EXPECT_TRUE(at::equal(momentum->direction(second.clone(), 2), at::tensor({4.0f, 12.0f})));
  EXPECT_TRUE(at::equal(dampened->direction(first.clone(), 1), first));  // the first step is not dampened
  EXPECT_TRUE(at::equal(dampened->direction(second.clone(), 2), at::tensor({3.5f, 8.0f})));
  EXPECT_TRUE(at::equal(nesterov->direction(first.clone(), 1), at::tensor({6.0f, -12.0f})));
  EXPECT_TRUE(at::equal(nesterov->direction(second.clone(), 2), at::tensor({4.0f, 22.0f})));
}

// A rule after reset() equals a new rule at the same step.
TEST_F(Rules, ResetForgetsEveryAverage) {
  const StorageOptions coded{"blockwise_8bit", 256, 0};
  const std::vector<int64_t> matrix{64, 65}, vector{65};
  const std::vector<std::pair<std::vector<int64_t>, std::function<std::unique_ptr<UpdateRule>()>>> all{
      {matrix, [&] { return make_adamw({}, {}, matrix, workspace_); }},
      {matrix, [&] { return make_adamw({}, coded, matrix, workspace_); }},
      {matrix, [&] { return make_adafactor({.beta1 = 0.9}, {}, matrix, workspace_); }},
      {vector, [&] { return make_adafactor({}, {}, vector, workspace_); }},
      {matrix, [&] { return make_sgd({.momentum = 0.9}, {}, matrix, workspace_); }},
      {matrix, [&] { return make_rms_prop({}, {}, matrix, workspace_); }}};
  for (const auto& [shape, make] : all) {
    const auto used = make(), fresh = make();
    for (int t = 1; t <= 3; ++t) used->direction(random(shape, static_cast<uint64_t>(t)), t);
    used->reset();
    const at::Tensor g = random(shape, 9);
    EXPECT_TRUE(at::equal(used->direction(g.clone(), 4), fresh->direction(g.clone(), 4)));
  }
}

TEST_F(Rules, VarianceIsTheRawSecondMoment) {
  const auto adamw = make_adamw({}, {}, {6, 8}, workspace_);
  const auto factored = make_adafactor({}, {}, {6, 8}, workspace_);
  EXPECT_TRUE(at::equal(adamw->variance(), at::zeros({6, 8})));
  EXPECT_TRUE(at::equal(factored->variance(), at::zeros({6, 8})));
  // The gradient has rank one, so that its factors represent it exactly. Adafactor's first decay is 0.
  const at::Tensor g = random({6, 1}, 1).mm(random({1, 8}, 2));
  adamw->direction(g.clone(), 1);
  factored->direction(g.clone(), 1);
  const at::Tensor squares = g.to(at::kDouble).square();
  EXPECT_LE(largest_difference(adamw->variance(), 0.001 * squares), kTolerance);
  EXPECT_LE(largest_difference(factored->variance(), squares), kTolerance);
  EXPECT_FALSE(make_sgd({.momentum = 0.9}, {}, {6, 8}, workspace_)->variance().defined());
}

TEST_F(Rules, RmsPropFollowsItsFormula) {
  const auto rule = make_rms_prop({0.9, 1e-6}, {}, {6, 8}, workspace_);
  at::Tensor average = at::zeros({6, 8}, at::kDouble);
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor g = random({6, 8}, static_cast<uint64_t>(t)), exact = g.to(at::kDouble);
    average = 0.9 * average + 0.1 * exact.square();
    EXPECT_LE(largest_difference(rule->direction(g.clone(), t), exact / (average.sqrt() + 1e-6)), kTolerance);
    EXPECT_LE(largest_difference(rule->variance(), average), kTolerance);
  }
}

// Without the correction, Adam's direction is the plain ratio of the moments.
TEST_F(Rules, CorrectionIsWhatAveragesFromZeroNeed) {
  const auto adamw = make_adamw({.epsilon = 1e-6, .epsilon_before_correction = true}, {}, {6, 8}, workspace_);
  for (int t = 1; t <= 4; ++t) {
    const at::Tensor direction = adamw->direction(random({6, 8}, static_cast<uint64_t>(t)), t);
    const at::Tensor raw = adamw->average() / (adamw->variance().sqrt() + 1e-6);
    EXPECT_LE(largest_difference(direction, adamw->correction(t) * raw.to(at::kDouble)), kTolerance);
  }
  for (const int64_t step : {1, 7}) {
    EXPECT_EQ(make_adafactor({}, {}, {6, 8}, workspace_)->correction(step), 1);
    EXPECT_EQ(make_rms_prop({}, {}, {6, 8}, workspace_)->correction(step), 1);
  }
}

TEST_F(Rules, SgdWithoutMomentumKeepsNothing) {
  make_sgd({}, {}, {100}, workspace_);
  EXPECT_EQ(ledger_.total(), 0);
}

}  // namespace
}  // namespace galore
