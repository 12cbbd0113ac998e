// Layers with factors in place of a matrix: gradients, memory and parameters.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "adapters/sparse_support.h"
#include "adapters/test_layer.h"
#include "core/errors.h"
#include "core/test_message.h"

namespace galore {
namespace {

using namespace testing_layer;

const std::vector<std::pair<std::string, std::string>> kKinds{
    {"low_rank", "r=3"},
    {"cola", "r=3"},
    {"sltrain", "r=3,alpha=2,density=0.3"},
    {"sltrain", "r=3,alpha=2,density=0.3,support=regenerated"},
    {"relora", "r=3,lora_alpha=2"},
    {"inrank", "r=1,buffer=2"},
    {"prilora", "r=3,lora_alpha=2"},
    {"gradnormlorp", "r=3,lora_alpha=2"},
    {"gradnormlorp", "r=3,variant=released"},
    {"poet_x", "block_size=8"}};

// Returns the derivative of sum(weights * f(x)) by `numbers`, by central differences. fp32 outputs of about
// 10 have errors of 1e-6, so a step of 1e-2 gives errors of 1e-3 in the slope, and the curvature as much.
at::Tensor differences(OneLayer& one, const at::Tensor& x, const at::Tensor& weights, at::Tensor numbers) {
  constexpr float kStep = 1e-2f;
  const at::Tensor slope = at::zeros_like(numbers);
  float* const at = numbers.mutable_data_ptr<float>();
  for (int64_t i = 0; i < numbers.numel(); ++i) {
    const float kept = at[i];
    const auto sum = [&](float value) {
      at[i] = value;
      return (one.forward(x).to(at::kDouble) * weights).sum().item<double>();
    };
    const double above = sum(kept + kStep), below = sum(kept - kStep);
    at[i] = kept;
    slope.view({-1})[i] = (above - below) / (2.0 * kStep);
  }
  return slope;
}

TEST(FactoredLayers, GradientsAreThoseOfFiniteDifferences) {
  for (const auto& [name, args] : kKinds) {
    OneLayer one(name, args);
    const at::Tensor x = random({kTokens, kInputs}, at::kFloat, 1);
    const at::Tensor gradient = random({kTokens, kOutputs}, at::kFloat, 2);
    std::map<Parameter*, Report> reports;
    for (Parameter* parameter : one.parameters)
      if (parameter->trainable) parameter->sink = &reports[parameter];
    one.forward(x);
    const at::Tensor of_x = at::empty_like(x);
    one.layer->input_gradient(one.pass, gradient, of_x, Write::replace);
    one.layer->report_gradient(one.pass, gradient, x);
    const auto is_near = [](const at::Tensor& a, const at::Tensor& b) {
      return (a - b).abs().max().item<double>() < 1e-2 * b.abs().max().item<double>();
    };
    EXPECT_TRUE(is_near(of_x, differences(one, x, gradient, x))) << name;
    for (auto& [parameter, report] : reports) {
      EXPECT_EQ(report.uses, 1) << parameter->name;
      // The released form of GradNormLoRP gives a weight the gradient of the product (gradnormlorp.cpp).
      if (args.ends_with("released") && parameter->name.ends_with("up_proj.weight"))
        EXPECT_TRUE(at::equal(report.gradient, gradient.t().mm(x)));
      else
        EXPECT_TRUE(is_near(report.gradient, differences(one, x, gradient, parameter->value)))
            << name << " " << parameter->name;
    }
    const at::Tensor added = at::ones_like(x);
    one.forward(x);
    one.layer->input_gradient(one.pass, gradient, added, Write::accumulate);
    EXPECT_TRUE(is_near(added - 1, of_x)) << name;
  }
}

TEST(FactoredLayers, MultiplyByTheirMergedWeight) {
  for (const auto& [name, args] : kKinds) {
    if (name == "cola") continue;
    for (const bool inputs_first : {false, true}) {
      OneLayer one(name, args, inputs_first);
      const at::Tensor x = random({kTokens, kInputs}, at::kFloat, 1);
      const at::Tensor weight = one.layer->merged_weight();
      ASSERT_EQ(weight.size(0), inputs_first ? kInputs : kOutputs);
      const at::Tensor expected = x.mm(inputs_first ? weight : weight.t()) + one.bias();
      // Random elements are no small angles, so the matrices of POET-X are far from orthogonal and large.
      const double size = std::max(1.0, expected.abs().max().item<double>());
      EXPECT_LE((one.forward(x) - expected).abs().max().item<double>(), 1e-5 * size) << name;
    }
  }
  OneLayer cola("cola");
  EXPECT_NE(message_of([&] { cola.layer->merged_weight(); }).find("up_proj"), std::string::npos);
}

// The elements lie evenly over rows and columns, and each is drawn.
TEST(FactoredLayers, SupportOfSlTrainIsSpreadEvenly) {
  constexpr int64_t kRows = 50, kColumns = 80, kCount = 617;
  at::Tensor hits = at::zeros({kRows, kColumns});
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const at::Tensor one = at::zeros({kRows, kColumns});
    const SparseSupport support(kRows, kColumns, kCount, seed, "place");
    support.add(one, at::ones({kCount}), {});
    ASSERT_TRUE((one <= 1).all().item<bool>()) << "no element twice";
    ASSERT_EQ(one.sum().item<int64_t>(), kCount);
    ASSERT_LE((one.sum(1) - kCount / double(kRows)).abs().max().item<double>(), 1);
    hits += one;
  }
  // A column is hit 200 x 617 / 80 = 1542 times on average, with a deviation of at most 39.
  EXPECT_LE((hits.sum(0) - 1542.5).abs().max().item<double>(), 5 * 39);
  EXPECT_GT(hits.min().item<double>(), 8) << "31 on average";
}

// The support does not depend on where it is kept, and SLTrain begins with W = S.
TEST(FactoredLayers, SupportOfSlTrainIsASetOfItsSize) {
  OneLayer stored("sltrain", "r=3,density=0.3"), computed("sltrain", "r=3,density=0.3,support=regenerated");
  for (OneLayer* one : {&stored, &computed}) {
    one->layer->initialize(1);
    one->parameters[2]->value.fill_(1);
  }
  const at::Tensor weight = stored.layer->merged_weight();
  EXPECT_EQ((weight == 1).sum().item<int64_t>(), 18) << "0.3 of 63, rounded down";
  EXPECT_EQ((weight == 0).sum().item<int64_t>(), 63 - 18);
  EXPECT_TRUE(at::equal(weight, computed.layer->merged_weight()));
  const at::Tensor x = random({kTokens, kInputs}, at::kFloat, 1);
  EXPECT_TRUE(at::equal(stored.forward(x), computed.forward(x)));
  OneLayer other("sltrain", "r=3,density=0.3,support_seed=1");
  other.layer->initialize(1);
  other.parameters[2]->value.fill_(1);
  EXPECT_FALSE(at::equal(weight, other.layer->merged_weight()));
  EXPECT_EQ(stored.ledger.bytes(Owner::weights) - computed.ledger.bytes(Owner::weights), 4 * 18);
}

// The elements of B A have the deviation 1 / sqrt(m + n).
TEST(FactoredLayers, LowRankBeginsWithTheSizeOfADenseWeight) {
  Ledger ledger(at::kCPU);
  const DenseBuilder dense(ledger, at::kFloat);
  const auto layer = adapter_kind("low_rank")
                         .make(parse_adapter_args("r=32"))
                         ->linear({"a.b", Role::matrix, 0}, {300, 200}, dense, ledger);
  layer->initialize(3);
  // The sample deviation of 60,000 elements of rank 32 varies by a few per cent.
  EXPECT_NEAR(layer->merged_weight().std().item<double>() * std::sqrt(500.0), 1, 0.1);
}

// On the meta device a pass allocates what it allocates on the CPU.
TEST(FactoredLayers, ArePlannedExactly) {
  for (const auto& [name, args] : kKinds) {
    const auto bytes = [&, &name = name, &args = args](at::Device device) {
      Ledger ledger(device);
      Workspace workspace(ledger);
      const Pass pass{workspace, at::kFloat, 1, kTokens};
      const DenseBuilder dense(ledger, at::kFloat);
      const auto layer = adapter_kind(name)
                             .make(parse_adapter_args(args))
                             ->linear({"a.b", Role::matrix, 0}, {kInputs, kOutputs}, dense, ledger);
      if (device.is_cpu()) layer->initialize(1);
      const auto on = at::TensorOptions().device(device);
      const at::Tensor x = at::ones({kTokens, kInputs}, on), y = at::ones({kTokens, kOutputs}, on);
      layer->forward(pass, x, y, Write::replace);
      layer->input_gradient(pass, y, x, Write::replace);
      layer->report_gradient(pass, y, x);
      return ledger.total();
    };
    EXPECT_EQ(bytes(at::kMeta), bytes(at::kCPU)) << name;
  }
}

TEST(FactoredLayers, RefuseRanksAboveTheWeights) {
  EXPECT_NE(message_of([] { OneLayer("low_rank", "r=8"); }).find("at most 7"), std::string::npos);
}

}  // namespace
}  // namespace galore
