// Whole-model and layer-wise updates, with one or many micro-batches, give the same numbers.
#include <ATen/ATen.h>

#include <limits>

#include "core/errors.h"
#include "variants.h"

namespace galore::battery {
namespace {

using Drivers = Battery;
INSTANTIATE_TEST_SUITE_P(Presets, Drivers, testing::ValuesIn(all_presets()), name_of);

TEST_P(Drivers, LayerwiseIsWholeModelToTheBit) {
  for (const Variant& variant : variants(preset())) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const size_t micro_batches : {1, 2}) {
        OptimizerOptions options = variant.options();
        options.weight_decay = 0.1;
        options.rounding = "stochastic";
        TestRun whole(variant.optim, variant.args, all_kinds(dtype), options);
        TestRun layerwise(variant.optim + "_layerwise", variant.args, all_kinds(dtype), options);
        EXPECT_TRUE(layerwise.optimizer->options().layerwise);
        for (uint64_t seed = 1; seed <= 5; ++seed) {
          std::vector<std::vector<at::Tensor>> gradients;
          for (size_t i = 0; i < micro_batches; ++i) gradients.push_back(whole.gradients(10 * seed + i));
          const UpdateReport a = whole.update(gradients), b = layerwise.update(gradients);
          EXPECT_EQ(a.gradient_norm, b.gradient_norm);
          EXPECT_EQ(a.num_refreshed, b.num_refreshed);
        }
        EXPECT_EQ(whole.difference(layerwise), "") << variant.text();
      }
    }
  }
}

// Gradients are summed in order, so a single micro-batch with their sum gives the same bits.
TEST_P(Drivers, MicroBatchesAreTheirSumToTheBit) {
  for (const Variant& variant : variants(preset())) {
    if (variant.gradient == "projected") continue;  // a sum of projections is rounded differently
    for (const bool layerwise : {false, true}) {
      OptimizerOptions options = variant.options();
      options.layerwise = layerwise;
      TestRun once(variant.optim, variant.args, all_kinds(), options);
      TestRun parts(variant.optim, variant.args, all_kinds(), options);
      for (uint64_t seed = 1; seed <= 5; ++seed) {
        std::vector<std::vector<at::Tensor>> gradients;
        for (uint64_t i = 0; i < 4; ++i) gradients.push_back(parts.gradients(10 * seed + i));
        std::vector<at::Tensor> sum = gradients[0];
        for (size_t part = 1; part < gradients.size(); ++part)
          for (size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + gradients[part][i];
        once.update({sum});
        const UpdateReport report = parts.update(gradients);
        if (variant.refreshes_together()) {
          EXPECT_EQ(report.num_refreshed, variant.targeted && seed % 3 == 1 ? 3 : 0);
        }
      }
      EXPECT_EQ(parts.optimizer->num_updates(), 5);
      EXPECT_EQ(once.difference(parts), "") << variant.text();
    }
  }
}

TEST_P(Drivers, SurviveZeroAndBadGradients) {
  for (const Variant& variant : variants(preset())) {
    for (const bool layerwise : {false, true}) {
      OptimizerOptions options = variant.options();
      options.layerwise = layerwise;
      options.max_grad_norm = 1;
      TestRun run(variant.optim, variant.args, all_kinds(), options);
      for (uint64_t seed = 1; seed <= 8; ++seed) {  // refreshes come at 1, 4 and 7
        auto gradients = run.gradients(seed, seed % 4 == 1 ? 0 : 1);
        if (seed % 4 == 2) gradients[1].fill_(std::numeric_limits<float>::quiet_NaN());
        if (seed % 4 == 3) gradients[2].fill_(std::numeric_limits<float>::infinity());
        if (seed % 4 == 0) gradients[3] = at::ones(gradients[3].sizes());  // rank 1
        EXPECT_EQ(run.update({gradients}).num_skipped, seed % 4 == 2 || seed % 4 == 3 ? 1 : 0);
      }
      for (const auto& [name, before] : all_kinds()) {
        EXPECT_TRUE(run.weight(name).isfinite().all().item<bool>()) << variant.text() << name;
        EXPECT_FALSE(same_bits(run.weight(name), before)) << variant.text() << name;
      }
    }
  }
}

using Refusals = Battery;
INSTANTIATE_TEST_SUITE_P(Presets, Refusals, testing::ValuesIn(all_presets()), name_of);

void expect_refused(const std::string& optim, const std::string& args, const std::string& named) {
  try {
    resolve_optimizer(optim, args);
    ADD_FAILURE() << optim << ": accepted " << args;
  } catch (const UsageError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(named), std::string::npos) << message;
    EXPECT_NE(message.find("optim_args of " + optim), std::string::npos) << message;
  }
}

TEST_P(Refusals, NameTheOption) {
  OptimizerSettings settings = preset().settings();
  OptionTable table;
  declare_options(table, settings);
  ASSERT_GE(table.options().size(), 4u);
  for (const auto& option : table.options()) {
    std::vector<std::string> bad{"no_such_value", ""};
    if (option->type() == "int" || option->type() == "float")
      bad.insert(bad.end(), {"nan", "inf", "-inf", "-1e300", "1e300", "1x"});
    if (option->type() == "int") bad.insert(bad.end(), {"1.5", "-1"});
    for (const std::string& value : bad)
      expect_refused(preset().name, option->name() + "=" + value, option->name());
    // The default itself is a valid value.
    EXPECT_NO_THROW(resolve_optimizer(preset().name, option->name() + "=" + option->default_text()));
    const std::string misspelt = option->name() + "x";
    expect_refused(preset().name, misspelt + "=1", "'" + misspelt + "'");
    // the nearest name is suggested
    expect_refused(preset().name, misspelt + "=1", "'" + option->name() + "'");
  }
  expect_refused(preset().name, "learning_rate", "learning_rate");
}

}  // namespace
}  // namespace galore::battery
