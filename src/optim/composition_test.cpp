#include "optim/composition.h"

#include "core/errors.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

std::string refusal_of(const std::string& optim) {
  try {
    resolve_optimizer(optim, "");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

// With the same parts, the same numbers.
TEST(Composition, OfAPresetsPartsIsThePreset) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"rule=adafactor", "adafactor"},
      {"rule=adamw", "adamw_torch"},
      {"rule=adafactor,subspace=svd,rank=4,update_proj_gap=3", "galore_adafactor"},
      {"rule=adafactor,subspace=svd,rank=4,update_proj_gap=3,residual=scaled,limiter=norm_growth",
       "fira_adafactor"}};
  for (const auto& [parts, preset] : pairs) {
    const bool projects = !option_text(find_preset(preset).settings(), "rank").empty();
    const std::string args = projects ? "subspace=svd,rank=4,update_proj_gap=3" : "";
    TestRun composed(parts, "", all_kinds()), named(preset, args, all_kinds());
    for (uint64_t seed = 1; seed <= 4; ++seed) composed.update(seed), named.update(seed);
    EXPECT_EQ(composed.difference(named), "") << parts;
  }
}

TEST(Composition, TakesOptionsOfItsPartsFromBothPlaces) {
  const OptimizerSettings settings = resolve_optimizer(
      "rule=adamw,storage=blockwise_8bit,subspace=sketch,rank=8", "block_size=64,beta2=0.95");
  EXPECT_EQ(settings.storage.storage, "blockwise_8bit");
  EXPECT_EQ(settings.storage.block_size, 64);
  EXPECT_EQ(settings.adamw.beta2, 0.95);
  EXPECT_EQ(settings.subspace.subspace, "sketch");
  EXPECT_EQ(settings.subspace.rank, 8);
  EXPECT_EQ(resolve_optimizer("rule=sgd,rank=8", "").subspace.subspace, "warm");
}

TEST(Composition, PutsSpikeClippingInFrontOfARule) {
  TestRun clipped("rule=adamw,limiter=spike_clip,threshold=1e-3,holdoff=1", "", all_kinds());
  TestRun plain("rule=adamw", "", all_kinds());
  for (uint64_t seed = 1; seed <= 3; ++seed) clipped.update(seed), plain.update(seed);
  for (const char* name : {kNorm, kTall}) EXPECT_FALSE(same_bits(clipped.weight(name), plain.weight(name)));
}

TEST(Composition, RefusesWhatMeansNothing) {
  for (const auto& [optim, named] : std::vector<std::pair<std::string, std::string>>{
           {"rule=adamw,residual=scaled,subspace=none", "expected a subspace"},
           {"rule=adamw,rank=4,limiter=norm_growth", "expected residual=scaled"},
           {"rule=adafactor,storage=blockwise_8bit", "row and column means"},
           {"rule=sgd,limiter=spike_clip", "second moment"},
           {"rule=adam", "adamw"},
           {"rule=adamw,rnk=4", "rnk"},
           {"rule=adamw,rank", "'rank'"}})
    EXPECT_NE(refusal_of(optim).find(named), std::string::npos) << refusal_of(optim);
}

}  // namespace
}  // namespace galore
