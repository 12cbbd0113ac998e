#include "optim/presets.h"

#include <gtest/gtest.h>

#include <set>

#include "core/errors.h"
#include "core/test_message.h"
#include "optim/presets/notes.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

std::string usage_error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST(Presets, HaveUniqueNames) {
  std::set<std::string> names;
  for (const Preset& preset : presets()) {
    EXPECT_TRUE(names.insert(preset.name).second) << preset.name;
    for (const std::string& alias : preset.aliases) EXPECT_TRUE(names.insert(alias).second) << alias;
    EXPECT_FALSE(preset.title.empty() || preset.paper.empty() || preset.state_formula.empty());
  }
}

TEST(Presets, HaveTheirEquationAndDepartures) {
  for (const Preset& preset : presets()) {
    EXPECT_FALSE(preset_note(preset.name).equation.empty()) << preset.name;
    EXPECT_FALSE(preset_note(preset.name).departures.empty()) << preset.name;
  }
}

TEST(Presets, AreFoundByNameAliasAndSuffix) {
  for (const Preset& preset : presets()) {
    EXPECT_EQ(find_preset(preset.name).name, preset.name);
    EXPECT_EQ(find_preset(preset.name + "_layerwise").name, preset.name);
    for (const std::string& alias : preset.aliases) EXPECT_EQ(find_preset(alias).name, preset.name);
    EXPECT_EQ(resolve_optimizer(preset.name, "")->layerwise, preset.name.ends_with("lomo"));
    EXPECT_TRUE(resolve_optimizer(preset.name + "_layerwise", "")->layerwise);
    EXPECT_EQ(resolve_optimizer(preset.name + "-LAYERWISE", "")->preset, preset.name);
  }
}

TEST(Presets, RefuseAnUnknownNameWithTheNearest) {
  const std::string message = usage_error_of([] { find_preset("galor_adamw"); });
  EXPECT_TRUE(contains(message, "galor_adamw") && contains(message, "'galore_adamw'")) << message;
}

TEST(Presets, TakeDefaultsOnlyForOptionsTheyHaveAndThatAreNotGiven) {
  const std::vector<std::pair<std::string, std::string>> defaults{{"adam_beta1", "0.5"},
                                                                  {"adam_beta2", "0.6"}};
  const auto adamw = resolve_optimizer("adamw", "beta2=0.7,eps=1e-3", defaults);
  EXPECT_EQ(options_of<AdamWOptions>(*adamw->rule).beta1, 0.5);
  EXPECT_EQ(options_of<AdamWOptions>(*adamw->rule).beta2, 0.7);
  EXPECT_EQ(options_of<AdamWOptions>(*adamw->rule).epsilon, 1e-3);
  EXPECT_NO_THROW(resolve_optimizer("sgd", "momentum=0.9", defaults));
}

TEST(Presets, KeepThePublishedDefaults) {
  const auto galore = resolve_optimizer("galore_adamw", "");
  EXPECT_EQ(options_of<AdamWOptions>(*galore->rule).epsilon, 1e-6);  // the default of galore_torch
  EXPECT_TRUE(options_of<AdamWOptions>(*galore->rule).epsilon_before_correction);
  EXPECT_EQ(galore->decay_order, DecayOrder::after);
  EXPECT_EQ(galore->subspace.update_proj_gap, 200);
  EXPECT_EQ(option_text(galore, "scale"), "0.25");
  const auto coded = resolve_optimizer("galore_adamw_8bit", "");
  EXPECT_EQ(options_of<AdamWOptions>(*coded->rule).epsilon, 1e-8);  // the default of bitsandbytes
  EXPECT_FALSE(options_of<AdamWOptions>(*coded->rule).epsilon_before_correction);
  EXPECT_EQ(coded->decay_order, DecayOrder::after);
  EXPECT_EQ(coded->storage.min_8bit_size, 4096);
  const auto torch = resolve_optimizer("adamw", "");
  EXPECT_EQ(torch->decay_order, DecayOrder::before);
  EXPECT_FALSE(options_of<AdamWOptions>(*torch->rule).epsilon_before_correction);
  EXPECT_EQ(resolve_optimizer("galore_adafactor", "")->decay_order, DecayOrder::before);
  EXPECT_EQ(resolve_optimizer("sgd", "")->decay_order, DecayOrder::coupled);
}

// From the paper: GaLore keeps m r + 2 n r numbers where Adam keeps 2 m n.
TEST(Presets, StateFormulasRead) {
  const std::map<std::string, std::string> expected{
      {"adamw_torch", "8mn bytes"},
      {"adamw_8bit", "2mn + 8 ceil(mn / block_size) bytes (8mn for the moments where mn < min_8bit_size)"},
      {"adafactor", "4m + 4n bytes, 4mn more with beta1"},
      {"sgd", "0 bytes, 4mn more with momentum"},
      {"galore_adamw", "4mr + 8nr bytes"},
      {"galore_adamw_8bit",
       "4mr + 2nr + 8 ceil(nr / block_size) bytes (8nr for the moments where nr < min_8bit_size)"},
      {"galore_adafactor", "4mr + 4r + 4n bytes, 4nr more with beta1"},
      {"galore_sgd", "4mr bytes, 4nr more with momentum"},
      {"fira_adamw", "4mr + 8nr bytes and 1 number"},
      {"apollo_adamw", "8nr bytes and 2 numbers, 4mr more unless subspace=random"}};
  for (const auto& [name, text] : expected) EXPECT_EQ(find_preset(name).state_formula, text);
}

TEST(Presets, StateBytesAreTheFormulaInNumbers) {
  const auto bytes = [](const std::string& optim, const std::string& args, int64_t rows, int64_t columns) {
    return state_bytes(resolve_optimizer(optim, args), rows, columns);
  };
  EXPECT_EQ(bytes("adamw", "", 10, 30), 8 * 300);
  EXPECT_EQ(bytes("adamw_8bit", "", 64, 65), 2 * 4160 + 8 * 17);
  EXPECT_EQ(bytes("adamw_8bit", "", 63, 65), 8 * 4095);
  EXPECT_EQ(bytes("adafactor", "beta1=0.9", 10, 30), 4 * 40 + 4 * 300);
  EXPECT_EQ(bytes("sgd", "momentum=0.9", 10, 30), 4 * 300);
  EXPECT_EQ(bytes("galore_adamw", "rank=4", 10, 30), 4 * (10 * 4 + 2 * 30 * 4));
  EXPECT_EQ(bytes("galore_adamw", "rank=4", 30, 10), 4 * (10 * 4 + 2 * 30 * 4));
  EXPECT_EQ(bytes("galore_adamw", "rank=4,proj_type=reverse_std", 30, 10), 4 * (30 * 4 + 2 * 10 * 4));
  EXPECT_EQ(bytes("galore_adamw", "rank=4,proj_type=left", 10, 30), 4 * (10 * 4 + 2 * 30 * 4));
  EXPECT_EQ(bytes("galore_adamw", "rank=4,basis_dtype=bfloat16", 10, 30), 2 * 10 * 4 + 8 * 30 * 4);
  EXPECT_EQ(bytes("galore_adamw", "rank=4,basis_dtype=int4,proj_group_size=16", 10, 30),
            20 + 5 * 3 + 8 * 30 * 4);
  EXPECT_EQ(bytes("galore_adamw", "rank=4,basis_dtype=int8,cos_threshold=0.4", 10, 30),
            40 + 5 + 4 * 10 + 8 * 30 * 4);
  EXPECT_EQ(bytes("galore_adamw", "rank=4,subspace=random", 10, 30), 8 * 30 * 4);
  EXPECT_EQ(bytes("apollo_mini", "", 10, 30), 8 * 30);
  EXPECT_EQ(bytes("apollo_adamw", "rank=4,proj=svd", 10, 30), 4 * 10 * 4 + 8 * 30 * 4);
  EXPECT_EQ(bytes("galore_adamw", "rank=99", 10, 30), 4 * (100 + 2 * 300));
  EXPECT_EQ(bytes("galore_adamw_8bit", "rank=16,block_size=2048", 64, 300), 4 * 64 * 16 + 2 * 4800 + 8 * 3);
}

// Each copy has options of its own, including the method's options, which are stored behind a pointer.
TEST(Settings, AreCopiedWithAllTheirOptions) {
  const OptimizerSettings original = resolve_optimizer("galore_adamw", "scale=0.5,beta1=0.8");
  OptimizerSettings copy = original, assigned;
  assigned = original;
  OptionTable table;
  declare_options(table, copy);
  table.set("test", "scale", "2");
  table.set("test", "beta1", "0.7");
  EXPECT_EQ(option_text(copy, "scale"), "2");
  EXPECT_EQ(option_text(copy, "adam_beta1"), "0.7");
  for (const OptimizerSettings& untouched : {original, assigned}) {
    EXPECT_EQ(option_text(untouched, "scale"), "0.5");
    EXPECT_EQ(option_text(untouched, "adam_beta1"), "0.8");
  }
}

}  // namespace
}  // namespace galore
