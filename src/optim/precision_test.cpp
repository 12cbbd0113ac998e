// bf16 weights: rounding to nearest, stochastic rounding, and fp32 master copies.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

OptimizerOptions rounding(const std::string& kind, uint64_t seed = 42) {
  OptimizerOptions options;
  options.rounding = kind;
  options.seed = seed;
  return options;
}

at::Tensor in_fp32(const at::Tensor& weight) { return weight.to(at::kFloat); }

TEST(Bfloat16, NearestRoundsTheExactUpdate) {
  for (const std::string optim : {"adamw", "galore_adamw", "sgd"}) {
    for (const bool layerwise : {false, true}) {
      OptimizerOptions options;
      options.layerwise = layerwise;
      const std::string args = optim == "galore_adamw" ? "rank=4" : "";
      TestRun narrow(optim, args, all_kinds(at::kBFloat16), options);
      NamedTensors same = all_kinds(at::kBFloat16);
      for (auto& [name, value] : same) value = value.to(at::kFloat);
      TestRun wide(optim, args, same, options);
      narrow.update(1), wide.update(1);
      for (const auto& [name, value] : same) {
        EXPECT_EQ(narrow.weight(name).scalar_type(), at::kBFloat16);
        // fp32 rounding differs between the two runs, which may decide a tie differently: the difference is
        // at most one bf16 step of 2^-8, and nearly all weights are equal.
        const at::Tensor rounded = wide.weight(name).to(at::kBFloat16);
        EXPECT_TRUE(in_fp32(narrow.weight(name)).allclose(in_fp32(rounded), 0x1p-7, 0)) << optim << name;
        EXPECT_GE((narrow.weight(name) == rounded).to(at::kFloat).mean().item<double>(), 0.98) << name;
      }
    }
  }
}

// 1.5 has neighbours at a distance of 2^-7, so rounding to nearest loses steps of 2^-12.
TEST(Bfloat16, SmallUpdatesSurviveStochasticRoundingInTheMean) {
  const NamedTensors start{{kTall, at::full({64, 64}, 1.5, at::kBFloat16)}};
  TestRun nearest("sgd", "", start, rounding("nearest"));
  TestRun stochastic("sgd", "", start, rounding("stochastic"));
  const at::Tensor gradient = at::ones({64, 64});
  for (int i = 0; i < 100; ++i)
    nearest.update({{gradient}}, 0x1p-12), stochastic.update({{gradient}}, 0x1p-12);
  EXPECT_TRUE(same_bits(nearest.weight(kTall), start[0].second));
  // A step of 2^-7 has probability p = 1/32. After 100 steps a weight has a standard deviation of 2^-7
  // sqrt(100 p (1-p)) = 0.0136, and the mean of 4096 weights one of 2.1e-4. The tolerance is five of these.
  const double mean = in_fp32(stochastic.weight(kTall)).mean().item<double>();
  EXPECT_NEAR(mean, 1.5 - 100 * 0x1p-12, 1.1e-3);
}

TEST(Bfloat16, StochasticRoundingOfGaLoreIsRightInTheMean) {
  // The weight has 256 copies of 16 columns. After one update, the mean over the copies of a column has a
  // standard deviation of at most half a bf16 step (2^-8) / 16 = 2.4e-4. The tolerance is five of these.
  const at::Tensor weight = random({24, 16}, 1).clamp(-1.9, 1.9).to(at::kBFloat16).repeat({1, 256});
  const at::Tensor gradient = random({24, 16}, 2).repeat({1, 256});
  const std::string args = "rank=4,scale=1,subspace=svd";
  TestRun narrow("galore_sgd", args, {{kTall, weight}}, rounding("stochastic"));
  TestRun wide("galore_sgd", args, {{kTall, weight.to(at::kFloat)}});
  narrow.update({{gradient}}, 0.01), wide.update({{gradient}}, 0.01);
  const at::Tensor error = in_fp32(narrow.weight(kTall)) - wide.weight(kTall);
  EXPECT_GT(error.abs().max().item<double>(), 1e-3) << "nothing was rounded";
  EXPECT_LE(error.view({24, 256, 16}).mean(1).abs().max().item<double>(), 1.2e-3);
}

TEST(Bfloat16, StochasticRoundingDependsOnSeedNameAndUpdateAlone) {
  const NamedTensors start{{kTall, at::full({64, 64}, 1.5, at::kBFloat16)},
                           {kWide, at::full({64, 64}, 1.5, at::kBFloat16)}};
  TestRun a("sgd", "", start, rounding("stochastic")), b("sgd", "", start, rounding("stochastic"));
  TestRun other("sgd", "", start, rounding("stochastic", 43));
  const std::vector<at::Tensor> gradients{at::ones({64, 64}), at::ones({64, 64})};
  for (TestRun* run : {&a, &b, &other}) run->update({gradients}, 0x1p-9);
  EXPECT_EQ(a.difference(b), "");
  EXPECT_FALSE(same_bits(a.weight(kTall), other.weight(kTall)));
  EXPECT_FALSE(same_bits(a.weight(kTall), a.weight(kWide)));
  const at::Tensor after_one = a.weight(kTall).clone();
  for (Parameter* parameter : a.list()) parameter->value.fill_(1.5);
  a.update({gradients}, 0x1p-9);
  EXPECT_FALSE(same_bits(a.weight(kTall), after_one)) << "the second update drew the first one's numbers";
}

TEST(MasterWeights, AreTheRunInFloat32) {
  for (const std::string optim : {"adamw", "galore_adamw", "galore_sgd"}) {
    for (const bool layerwise : {false, true}) {
      OptimizerOptions options;
      options.layerwise = layerwise;
      options.weight_decay = 0.1;
      const std::string args = optim == "adamw" ? "" : "rank=4,update_proj_gap=2";
      TestRun wide(
          optim, args,
          [] {
            NamedTensors same = all_kinds(at::kBFloat16);
            for (auto& [name, value] : same) value = value.to(at::kFloat);
            return same;
          }(),
          options);
      options.master_weights = true;
      TestRun narrow(optim, args, all_kinds(at::kBFloat16), options);
      for (uint64_t seed = 1; seed <= 4; ++seed) narrow.update(seed), wide.update(seed);
      const auto state = StateCopy(*narrow.optimizer).values;
      for (const auto& [name, value] : all_kinds()) {
        EXPECT_TRUE(same_bits(state.at(name + ".master_weight"), wide.weight(name))) << optim << name;
        EXPECT_TRUE(same_bits(narrow.weight(name), wide.weight(name).to(at::kBFloat16))) << optim << name;
      }
    }
  }
}

TEST(MasterWeights, AreCountedAndOnlyForNarrowWeights) {
  OptimizerOptions options;
  options.master_weights = true;
  int64_t count = 0;
  for (const auto& [name, value] : all_kinds()) count += value.numel();
  EXPECT_EQ(TestRun("adamw", "", all_kinds(at::kBFloat16), options).ledger.bytes(Owner::master_weights),
            4 * count);
  EXPECT_EQ(TestRun("adamw", "", all_kinds(), options).ledger.bytes(Owner::master_weights), 0);
}

TEST(Float16, WeightsAreUpdatedToo) {
  for (const std::string kind : {"nearest", "stochastic"}) {
    TestRun narrow("galore_adamw", "rank=4", all_kinds(at::kHalf), rounding(kind));
    TestRun wide("galore_adamw", "rank=4", all_kinds());
    narrow.update(1), wide.update(1);
    EXPECT_EQ(narrow.weight(kTall).scalar_type(), at::kHalf);
    // Two numbers up to 4 are rounded to fp16, with an error of 2^-9 each.
    EXPECT_TRUE(in_fp32(narrow.weight(kTall)).allclose(wide.weight(kTall), 0, 4e-3));
  }
}

}  // namespace
}  // namespace galore
