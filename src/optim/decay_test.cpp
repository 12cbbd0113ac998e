// Weight decay: which weights have it, and its place in an update. Gradients are reported as products or
// whole. Weights are of order 1 and round in fp32, hence the tolerances of 1e-6.
#include <gtest/gtest.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr double kRate = 0.125, kDecay = 0.5;

OptimizerOptions decaying_options(bool decay_all = false) {
  OptimizerOptions options;
  options.weight_decay = kDecay;
  options.decay_all = decay_all;
  return options;
}

at::Tensor start(const std::string& wanted) {
  for (const auto& [name, value] : all_kinds())
    if (name == wanted) return value;
  return {};
}

TEST(Decay, SkipsNormsUnlessAllDecay) {
  for (const std::string optim : {"adamw", "galore_adamw", "adamw_8bit"}) {
    TestRun with(optim, "", all_kinds(), decaying_options()), without(optim, "", all_kinds());
    TestRun all(optim, "", all_kinds(), decaying_options(/*decay_all=*/true));
    for (TestRun* run : {&with, &without, &all}) run->update(1);
    EXPECT_TRUE(same_bits(with.weight(kNorm), without.weight(kNorm))) << optim;
    EXPECT_FALSE(same_bits(all.weight(kNorm), without.weight(kNorm))) << optim;
    for (const char* name : {kEmbedding, kSquare, kTall, kWide}) {
      EXPECT_FALSE(same_bits(with.weight(name), without.weight(name))) << optim << name;
      EXPECT_TRUE(same_bits(with.weight(name), all.weight(name))) << optim << name;
    }
  }
}

// Checks every preset by its decay order; before and after are compared with the direction of a run without
// decay.
TEST(Decay, StandsWhereThePresetSays) {
  for (const Preset& preset : presets()) {
    const std::string args = preset.name.rfind("galore", 0) == 0 ? "rank=4" : "";
    TestRun with(preset.name, args, all_kinds(), decaying_options());
    TestRun without(preset.name, args, all_kinds());
    with.update(1, kRate), without.update(1, kRate);
    const DecayOrder order = with.optimizer->options().settings->decay_order;
    if (order == DecayOrder::coupled) continue;
    for (const char* name : {kEmbedding, kSquare, kTall, kWide}) {
      const at::Tensor first = start(name), step = without.weight(name) - first;
      const double kept = 1 - kRate * kDecay;
      const at::Tensor expected = order == DecayOrder::before ? first * kept + step : (first + step) * kept;
      EXPECT_TRUE(with.weight(name).allclose(expected, 0, 1e-6)) << preset.name << name;
    }
  }
}

TEST(Decay, CoupledIsPartOfTheGradient) {
  for (const std::string optim : {"sgd", "galore_sgd"}) {
    const std::string args = optim == "sgd" ? "momentum=0.5" : "momentum=0.5,rank=4";
    TestRun with(optim, args, all_kinds(), decaying_options()), without(optim, args, all_kinds());
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      auto gradients = with.gradients(seed);
      with.update({gradients}, kRate);
      for (size_t i = 0; i < 4; ++i) gradients[i] = gradients[i] + kDecay * without.list()[i]->value;
      without.update({gradients}, kRate);
    }
    for (const auto& [name, value] : all_kinds())
      EXPECT_TRUE(with.weight(name).allclose(without.weight(name), 0, 2e-6)) << optim << name;
  }
}

TEST(Decay, OfThePresetComesBeforeTheRuns) {
  TestRun own("adamw", "weight_decay=0.25", all_kinds(), decaying_options());
  EXPECT_EQ(own.optimizer->options().weight_decay, 0.25);
  TestRun zero("adamw", "weight_decay=0", all_kinds(), decaying_options()), none("adamw", "", all_kinds());
  zero.update(1), none.update(1);
  EXPECT_EQ(zero.difference(none), "");
}

}  // namespace
}  // namespace galore
