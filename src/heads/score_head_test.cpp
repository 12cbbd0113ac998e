#include "heads/score_head.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class ProductSink : public GradientSink {
 public:
  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    sum = output_gradient.t().mm(input);
  }
  void add_rows(const at::Tensor&, const at::Tensor&) override { FAIL(); }
  void add(const at::Tensor&) override { FAIL(); }
  void use_done() override {}
  at::Tensor sum;
};

// A head over 2 rows of 5 positions with 4 features.
struct Fixture {
  explicit Fixture(const HeadConfig& config, const ScoreSize& size = {})
      : head(config, 4, DenseBuilder(ledger, at::kFloat), size) {
    head.initialize(3, 0.5);
    ParameterList list;
    head.list(list);
    weight = list.at(0);
    for (Parameter* parameter : list) parameter->value.copy_(random(parameter->value.sizes(), at::kFloat, 7));
  }
  double loss(const at::Tensor& states, const Targets& targets) {
    return head.evaluate(pass, states, targets, nullptr).loss;
  }
  // Compares both gradients with central differences. The tolerance covers the rounding of fp32 products.
  void expect_gradients(const Targets& targets) {
    ProductSink sink;
    const SinkBinding binding(*weight, sink);
    const at::Tensor gradient = at::full_like(hidden, 9);
    const LossSum sum = head.train(pass, hidden, targets, 0.5, gradient);
    EXPECT_NEAR(sum.loss, loss(hidden, targets), 1e-9);
    EXPECT_EQ(sum.num_tokens, targets.count);
    for (at::Tensor* tensor : {&hidden, &weight->value}) {
      const at::Tensor& given = tensor == &hidden ? gradient : sink.sum;
      float* value = tensor->mutable_data_ptr<float>();
      for (int64_t i = 0; i < tensor->numel(); ++i) {
        const float kept = value[i];
        value[i] = kept + 1e-2f;
        const double above = loss(hidden, targets);
        value[i] = kept - 1e-2f;
        const double below = loss(hidden, targets);
        value[i] = kept;
        EXPECT_NEAR(given.reshape(-1)[i].item<double>(), 0.5 * (above - below) / 2e-2, 1e-3) << i;
      }
    }
  }

  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
  Pass pass{workspace, at::kFloat, 2, 5};
  ScoreHead head;
  Parameter* weight = nullptr;
  at::Tensor hidden = random({10, 4}, at::kFloat, 5);
};

HeadConfig of_kind(HeadKind kind, int64_t num_labels) {
  HeadConfig config;
  config.kind = kind;
  config.num_labels = num_labels;
  return config;
}

Targets numbers(const std::vector<int64_t>& places, const std::vector<double>& values) {
  Targets targets;
  targets.places = at::tensor(places, at::kLong);
  targets.values = at::tensor(values, at::kDouble).view({static_cast<int64_t>(places.size()), -1});
  targets.count = static_cast<int64_t>(places.size());
  return targets;
}

TEST(ScoreHead, HasTheGradientsOfEveryLoss) {
  Fixture(of_kind(HeadKind::classification, 3)).expect_gradients(numbers({2, 9}, {0, 2}));
  Fixture(of_kind(HeadKind::regression, 1)).expect_gradients(numbers({4, 5}, {0.3, -1.2}));
  for (const ValueLoss loss :
       {ValueLoss::mse, ValueLoss::two_hot, ValueLoss::hl_gauss, ValueLoss::c51, ValueLoss::quantile}) {
    const HeadConfig config{HeadKind::value, 0, {}, {loss, -1, 1, 5}};
    Fixture(config).expect_gradients(numbers({0, 1, 7}, {0.3, -0.8, 0.1}));
    Targets pairs = numbers({2, 6, 4, 9}, {0, 0, 0, 0});
    pairs.pairs = true;
    pairs.count = 2;
    Fixture(config).expect_gradients(pairs);
  }
  const HeadConfig c51{HeadKind::value, 0, {}, {ValueLoss::c51, -1, 1, 3}};
  Fixture(c51).expect_gradients(numbers({3, 8}, {0.2, 0.3, 0.5, 1, 0, 0}));
}

// The outputs of the target network are fixed, because no gradient goes through them.
TEST(ScoreHead, HasTheGradientsOfActionValues) {
  for (const ValueLoss loss : {ValueLoss::mse, ValueLoss::hl_gauss, ValueLoss::c51, ValueLoss::quantile}) {
    const HeadConfig config{HeadKind::action_value, 0, {}, {loss, -1, 1, 5}, 3};
    Targets targets = numbers({2, 4, 7}, {0.3, NAN, -0.6});
    targets.actions = at::tensor({0, 2, 1}, at::kLong);
    targets.backup.conservative_weight = 0.7;
    targets.count = 2;
    Fixture(config).expect_gradients(targets);
    targets.transitions = at::tensor({0.3, 0.5, 0.0, NAN, 0.0, 0.0, 0.1, 0.0, 0.0}, at::kDouble).view({3, 3});
    targets.target_outputs = random({3, config.num_outputs()}, at::kFloat, 9);
    Fixture(config).expect_gradients(targets);
  }
}

constexpr const char* kOutput = "classifier";

TEST(ScoreHead, ALayerInFrontOfTheOutputHasTheGradientOfItsValues) {
  const ScoreSize pooled{.output = kOutput, .bias = true, .dense = "pooler", .activation = "tanh"};
  for (const ValueLoss loss : {ValueLoss::mse, ValueLoss::hl_gauss})
    Fixture({HeadKind::value, 0, {}, {loss, -1, 1, 5}}, pooled)
        .expect_gradients(numbers({0, 3, 4}, {0.5, -0.9, 0.1}));
}

// Zeros in both layers would never learn.
TEST(ScoreHead, OnlyTheOutputOfANewValueHeadIsZero) {
  Ledger ledger{at::kCPU};
  ScoreHead head({HeadKind::value, 0, {}, {ValueLoss::mse}}, 4, DenseBuilder(ledger, at::kFloat),
                 {.output = kOutput, .bias = true, .dense = "pooler", .activation = "tanh"});
  head.initialize(3, 0.5);
  ParameterList list;
  head.list(list);
  for (const Parameter* parameter : list) {
    const bool is_output = parameter->name.find(kOutput) != std::string::npos;
    const bool is_bias = parameter->value.dim() == 1;
    EXPECT_EQ(parameter->value.abs().max().item<float>() == 0, is_output || is_bias) << parameter->name;
  }
}

// The head chooses the next action and the target network values it.
TEST(ScoreHead, ValuesTheNextActionByItsCopy) {
  const HeadConfig config{HeadKind::action_value, 0, {}, {ValueLoss::mse}, 2};
  Fixture one(config);
  one.weight->value.copy_(at::tensor({1.0f, 0.0f, 0.0f, 0.0f, 0.0f, 1.0f, 0.0f, 0.0f}).view({2, 4}));
  one.hidden.zero_();
  one.hidden[1][1] = 3;  // at the next place action 1 is the best
  one.head.set_target_weight(one.weight->value * 10 + 0.0);
  Targets targets = numbers({0, 1}, {0, 0});
  targets.actions = at::tensor({0, 0}, at::kLong);
  targets.transitions = at::tensor({2.0, 0.5, 0.0, NAN, 0.0, 0.0}, at::kDouble).view({2, 3});
  targets.count = 1;
  EXPECT_NEAR(one.loss(one.hidden, targets), std::pow(2 + 0.5 * 30, 2), 1e-3);
  Predictions out;
  one.head.evaluate(one.pass, one.hidden, targets, &out);
  EXPECT_EQ(out.actions[1][0].item<double>(), 1);
  EXPECT_EQ(out.actions[1][1].item<double>(), 3);
  EXPECT_EQ(out.losses[1].item<double>(), 0);
}

// A copy of the head with the weight's own values gives one-step targets of the head's own read-outs.
TEST(ScoreHead, ValuesNextStatesByItsCopy) {
  const HeadConfig config{HeadKind::value, 0, {}, {ValueLoss::mse}};
  Fixture one(config);
  Predictions read;
  one.head.evaluate(one.pass, one.hidden, numbers({3, 4}, {0, 0}), &read);
  one.head.set_target_weight(one.weight->value.clone());
  Targets targets = numbers({3, 4}, {0, 0});
  targets.transitions = at::tensor({1.0, 0.5, 0.0, NAN, 0.0, 0.0}, at::kDouble).view({2, 3});
  targets.count = 1;
  const double here = read.readouts[0][0].item<double>(), next = read.readouts[1][0].item<double>();
  EXPECT_NEAR(one.loss(one.hidden, targets), std::pow(here - 1 - 0.5 * next, 2), 1e-5);
}

TEST(ScoreHead, GivesPredictionsOfEachPlace) {
  Fixture one({HeadKind::value, 0, {}, {ValueLoss::two_hot, 0, 1, 3}});
  Predictions out;
  const Targets targets = numbers({1, 8}, {0.5, 1});
  const LossSum sum = one.head.evaluate(one.pass, one.hidden, targets, &out);
  const at::Tensor expected = one.hidden.index_select(0, targets.places).mm(one.weight->value.t());
  EXPECT_LT(relative_difference(out.values, expected), 1e-6);  // fp32 products in another order
  EXPECT_EQ(out.losses.sum().item<double>(), sum.loss);
  const at::Tensor shares = expected.to(at::kDouble).softmax(1);
  const at::Tensor read = shares.matmul(at::tensor({0.0, 0.5, 1.0}, at::kDouble));
  EXPECT_LT(relative_difference(out.readouts.select(1, 0), read), 1e-6);
}

TEST(ScoreHead, OfValuesStartsInTheMiddleOfTheSupport) {
  Fixture one({HeadKind::value, 0, {}, {ValueLoss::hl_gauss, -3, 7, 21}});
  one.head.initialize(3, 0.5);
  Predictions out;
  one.head.evaluate(one.pass, one.hidden, numbers({1}, {0}), &out);
  EXPECT_NEAR(out.readouts[0][0].item<double>(), 2, 1e-9);
}

}  // namespace
}  // namespace galore
