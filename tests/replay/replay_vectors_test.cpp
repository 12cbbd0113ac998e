// Compares `replay` with the results of other implementations on recorded gradients: tests/vectors/data
// (galore_torch, torch and an exact 8-bit script) and tests/vectors/family (plain scripts, one for each
// method). The manifests give the tolerances: ten times the error that one unit in the last place of the
// gradients causes, measured when the vectors were made.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/files.h"
#include "optim/presets.h"
#include "train/replay.h"

namespace galore {
namespace {

// The tensors are so small that threads would only wait for each other.
class OneThread : public testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
testing::Environment* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

const Path kData = Path(GALORE_VECTORS) / "data", kFamily = Path(GALORE_VECTORS) / "family";

nlohmann::json manifest(const Path& folder) {
  return nlohmann::json::parse(read_file(folder / "manifest.json"));
}

ReplayOptions options_of(const nlohmann::json& test_case) {
  ReplayOptions options;
  options.optim = test_case["optim"];
  options.optim_args = test_case["optim_args"];
  if (options.optim.rfind("galore", 0) == 0) {
    const std::string signs = test_case["signs"];
    options.optim_args += ",subspace=svd,signs=" + signs;
    options.optimizer.target_modules = split_list(test_case["optim_target_modules"]);
  }
  options.learning_rate = test_case["learning_rate"];
  options.optimizer.weight_decay = test_case["weight_decay"];
  return options;
}

// The arguments of the family's vectors are complete.
ReplayOptions family_options_of(const nlohmann::json& test_case) {
  ReplayOptions options;
  options.optim = test_case["optim"];
  options.optim_args = test_case["optim_args"];
  options.optimizer.target_modules = split_list(test_case["optim_target_modules"]);
  options.learning_rate = test_case["learning_rate"];
  options.optimizer.weight_decay = test_case["weight_decay"];
  return options;
}

std::vector<std::pair<std::string, std::string>> adam_of(const nlohmann::json& test_case) {
  std::vector<std::pair<std::string, std::string>> adam;
  const bool is_adam = test_case["optim"].get<std::string>().find("adamw") != std::string::npos;
  for (const char* key : {"adam_beta1", "adam_beta2", "adam_epsilon"})
    if (is_adam && test_case.contains(key) && test_case[key].is_number())
      adam.emplace_back(key, fmt::format("{}", test_case[key].get<double>()));
  return adam;
}

double relative_error(const at::Tensor& got, const at::Tensor& expected, const at::Tensor& start) {
  const double displacement = (expected - start).norm().item<double>();
  const double error = (got - expected).norm().item<double>();
  return displacement > 0 ? error / displacement : error;
}

struct Case {
  const nlohmann::json& test_case;
  const nlohmann::json& traces;
  Path folder;
  ReplayOptions options;
};

void check_case(const Case& given, bool layerwise) {
  const nlohmann::json& test_case = given.test_case;
  SCOPED_TRACE(test_case["name"].get<std::string>());
  const SafetensorsReader trace(
      given.folder / given.traces[test_case["trace"].get<std::string>()]["file"].get<std::string>());
  const SafetensorsReader expected(given.folder / test_case["file"].get<std::string>());
  ReplayOptions options = given.options;
  options.optimizer.layerwise = layerwise;
  const ReplayResult result = replay(trace, options, adam_of(test_case));
  int64_t compared = 0;
  for (const TensorToWrite& weight : result.weights) {
    if (!expected.find(weight.name)) continue;
    const std::string rest = weight.name.substr(std::string("weights/").size());
    const std::string step = rest.substr(0, rest.find('/')), name = rest.substr(rest.find('/') + 1);
    const double tolerance = test_case["tolerance"][step][name];
    EXPECT_LE(relative_error(weight.value, expected.read(weight.name), trace.read("weights/" + name)),
              tolerance)
        << weight.name;
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int64_t>(expected.tensors().size()));
}

class ReplayVectors : public testing::TestWithParam<bool> {};

TEST_P(ReplayVectors, MatchReferenceImplementations) {
  const nlohmann::json all = manifest(kData);
  ASSERT_GE(all["cases"].size(), 30u);
  for (const auto& test_case : all["cases"])
    check_case({test_case, all["traces"], kData, options_of(test_case)}, GetParam());
}

TEST_P(ReplayVectors, MatchPlainScripts) {
  const nlohmann::json all = manifest(kFamily);
  ASSERT_GE(all["cases"].size(), 10u);
  for (const auto& test_case : all["cases"])
    check_case({test_case, all["traces"], kFamily, family_options_of(test_case)}, GetParam());
}

TEST(FrozenVectors, ThereAreSomeOfEveryPreset) {
  std::set<std::string> covered;
  for (const Path& folder : {kData, kFamily}) {
    const nlohmann::json all = manifest(folder);
    for (const auto& test_case : all["cases"])
      covered.insert(find_preset(test_case["optim"].get<std::string>()).name);
  }
  for (const Preset& preset : presets()) EXPECT_TRUE(covered.contains(preset.name)) << preset.name;
}

INSTANTIATE_TEST_SUITE_P(BothDrivers, ReplayVectors, testing::Bool());

}  // namespace
}  // namespace galore
