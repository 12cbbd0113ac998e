#include "optim/weight_overrides.h"

#include "core/errors.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr const char* kSvdArgs = "rank=4,subspace=svd";

OptimizerOptions with_overrides(const std::string& text) {
  OptimizerOptions options;
  options.overrides = parse_overrides("galore_adamw", kSvdArgs, {}, text);
  return options;
}

TEST(WeightOverrides, ChangeTheirWeightsAndNoOthers) {
  TestRun own(
      "galore_adamw", kSvdArgs, all_kinds(),
      with_overrides(
          "pattern=down_proj,optim=adamw;pattern=mlp,rank=2;pattern=embed,optim=galore_adamw,rank=3"));
  TestRun all("galore_adamw", kSvdArgs, all_kinds()), full("adamw", "", all_kinds());
  const auto kept = StateCopy(*own.optimizer).values;
  EXPECT_EQ(kept.count(std::string(kWide) + ".basis_left"), 0u) << "the first that matches counts";
  EXPECT_EQ(kept.at(std::string(kTall) + ".basis_right").size(1), 2);
  EXPECT_EQ(kept.at(std::string(kSquare) + ".basis_right").size(1), 4);
  EXPECT_EQ(kept.at(std::string(kEmbedding) + ".basis_right").size(1), 3) << "named, so targeted";
  for (TestRun* run : {&own, &all, &full}) run->update(1);
  EXPECT_TRUE(same_bits(own.weight(kWide), full.weight(kWide)));
  EXPECT_TRUE(same_bits(own.weight(kSquare), all.weight(kSquare)));
  EXPECT_FALSE(same_bits(own.weight(kTall), all.weight(kTall)));
}

TEST(WeightOverrides, ScaleTheLearningRate) {
  TestRun own("galore_adamw", kSvdArgs, all_kinds(),
              with_overrides("pattern=q_proj,learning_rate_factor=0.5;pattern=mlp,learning_rate_factor=0"));
  TestRun all("galore_adamw", kSvdArgs, all_kinds());
  own.update(1, 0.01), all.update(1, 0.01);
  const auto moved = [](TestRun& run, const char* name) {
    for (const auto& [candidate, start] : all_kinds())
      if (candidate == name) return run.weight(name) - start;
    return at::Tensor();
  };
  // The factor of one half is exact; sums with weights up to 4 are rounded to 2.4e-7.
  EXPECT_TRUE(moved(own, kSquare).allclose(moved(all, kSquare) / 2, 0, 1e-6));
  EXPECT_EQ(moved(own, kWide).abs().max().item<double>(), 0);
}

TEST(WeightOverrides, AreRefusedWithTheReason) {
  for (const auto& [text, named] : std::vector<std::pair<std::string, std::string>>{
           {"rank=4", "expected pattern="},
           {"pattern=mlp,rnk=4", "rnk"},
           {"pattern=mlp,learning_rate=1", "learning_rate_factor"},
           {"pattern=mlp,learning_rate_factor=-1", "learning_rate_factor"},
           {"pattern=mlp,optim=galore", "galore_"}}) {
    try {
      with_overrides(text);
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace galore
