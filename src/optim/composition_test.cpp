#include "optim/composition.h"

#include <fmt/ranges.h>

#include "core/errors.h"
#include "optim/presets.h"
#include "optim/test_optimizer.h"
#include "optim/update_rules/adamw.h"

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

// The parts of a preset give the same numbers as the preset.
TEST(Composition, OfAPresetsPartsIsThePreset) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"rule=adafactor", "adafactor"},
      {"rule=adamw", "adamw_torch"},
      {"rule=adafactor,subspace=svd,rank=4,update_proj_gap=3", "galore_adafactor"},
      {"rule=adafactor,subspace=svd,rank=4,update_proj_gap=3,residual=scaled,limiter=norm_growth",
       "fira_adafactor"},
      {"method=muon", "muon"},
      {"method=alice,storage=float32", "alice"},
      {"method=adamw,storage=blockwise_8bit,min_8bit_size=64", "adamw_8bit"},
      {"method=galore_adamw_8bit,min_8bit_size=64", "galore_adamw_8bit"}};
  for (const auto& [parts, preset] : pairs) {
    const auto has = [&](const char* option) {
      return !option_text(find_preset(preset).settings(), option).empty();
    };
    std::string args = has("rank") ? "rank=4,update_proj_gap=3" : "";
    if (has("subspace")) args += ",subspace=svd";
    const std::string storage = has("block_size") ? ",min_8bit_size=64" : "";
    TestRun composed(parts, parts.starts_with("method") ? args : "", all_kinds());
    TestRun named(preset, args + storage, all_kinds());
    for (uint64_t seed = 1; seed <= 4; ++seed) composed.update(seed), named.update(seed);
    EXPECT_EQ(composed.difference(named), "") << parts;
  }
}

TEST(Composition, TakesOptionsOfItsPartsFromBothPlaces) {
  const OptimizerSettings settings = resolve_optimizer(
      "rule=adamw,storage=blockwise_8bit,subspace=sketch,rank=8", "block_size=64,beta2=0.95");
  EXPECT_EQ(settings.storage.storage, "blockwise_8bit");
  EXPECT_EQ(settings.storage.block_size, 64);
  EXPECT_EQ(options_of<AdamWOptions>(*settings.rule).beta2, 0.95);
  EXPECT_EQ(settings.subspace.subspace, "sketch");
  EXPECT_EQ(settings.subspace.rank, 8);
  EXPECT_EQ(resolve_optimizer("rule=sgd,rank=8", "")->subspace.subspace, "warm");
}

// Every named optimizer takes the other storage and then has the state of its formula, or is refused because
// it has no moments to quantize.
TEST(Composition, StoresTheMomentsOfAnyMethodInCodes) {
  std::vector<std::string> without;
  for (const Preset& preset : presets()) {
    const std::string optim = "method=" + preset.name + ",storage=blockwise_8bit";
    if (refusal_of(optim) != "accepted") {
      without.push_back(preset.name);
      continue;
    }
    OptimizerSettings settings = resolve_optimizer(optim, "");
    settings.preset = preset.name;
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{64, 96}, {96, 64}, {70, 129}}) {
      Ledger ledger(at::kMeta);
      Workspace workspace(ledger);
      const auto method =
          make_method(settings, {.name = kTall, .shape = {m, n}, .layer = 0, .num_layers = 1}, workspace);
      EXPECT_EQ(ledger.bytes(Owner::moments) + ledger.bytes(Owner::bases), state_bytes(settings, m, n))
          << optim << " " << m << " x " << n;
    }
  }
  EXPECT_EQ(fmt::format("{}", fmt::join(without, " ")),
            "adafactor sgd galore_adafactor galore_sgd fira_adafactor lomo adalomo");
}

// Rounding to codes rotates the displacement by 0.2 to 3 %. A run that resumes from saved codes is equal to
// the bit.
TEST(Composition, WithMomentsInCodesMovesWeightsAsTheMethodDoes) {
  for (const std::string name : {"muon", "gwt_adamw", "foam_adamw", "alice", "racs", "stable_spam_adamw"}) {
    const auto coded_run = [&] {
      return TestRun("method=" + name + ",storage=blockwise_8bit", "min_8bit_size=64", all_kinds());
    };
    TestRun coded = coded_run(), plain(name, "", all_kinds());
    for (uint64_t seed = 1; seed <= 4; ++seed) coded.update(seed), plain.update(seed);
    for (const auto& [weight, start] : all_kinds()) {
      const at::Tensor moved = coded.weight(weight) - start, wanted = plain.weight(weight) - start;
      EXPECT_LT(relative_difference(moved, wanted), 0.1) << name << " " << weight;
    }
    EXPECT_NE(coded.difference(plain), "") << name << ": nothing is in codes";
    TestRun resumed = coded_run();
    StateLoader loader(StateCopy(*coded.optimizer).values);
    resumed.optimizer->visit(loader);
    for (const auto& [weight, start] : all_kinds())
      resumed.parameter(weight).value.copy_(coded.weight(weight));
    coded.update(5), resumed.update(5);
    EXPECT_EQ(coded.difference(resumed), "") << name;
  }
}

TEST(Composition, KeepsEpsilonAboveWhatCodesRoundToZero) {
  const auto epsilon = [](const std::string& optim, const std::string& args) {
    return options_of<AdamWOptions>(*resolve_optimizer(optim, args)->rule).epsilon;
  };
  EXPECT_EQ(epsilon("method=muon", ""), 1e-10);
  EXPECT_EQ(epsilon("method=muon,storage=blockwise_8bit", ""), 1e-8);
  EXPECT_EQ(epsilon("method=muon,storage=blockwise_8bit", "adam_epsilon=1e-10"), 1e-10) << "as given";
  EXPECT_EQ(epsilon("method=gwt_adamw,storage=blockwise_8bit", ""), 1e-6);
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
           {"rule=sgd,storage=blockwise_8bit", "a moment of every element"},
           {"rule=adamw,method=muon", "for method=muon has a rule"},
           {"method=muon,residual=scaled", "for method=muon has a residual"},
           {"method=mun", "'muon'"},
           {"method=muon,rank=4", "rank"},
           {"rule=sgd,limiter=spike_clip", "second moment"},
           {"rule=adam", "adamw"},
           {"rule=adamw,rnk=4", "rnk"},
           {"rule=adamw,rank", "'rank'"}})
    EXPECT_NE(refusal_of(optim).find(named), std::string::npos) << refusal_of(optim);
}

}  // namespace
}  // namespace galore
