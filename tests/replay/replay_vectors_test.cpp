// Every case of tests/vectors/data/manifest.json: what galore_torch, torch and an exact 8-bit script made of
// recorded gradients, against `replay`. Tolerances are in the manifest: ten times the error that one unit in
// the last place of the gradients makes, measured when the vectors were made.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "train/replay.h"

namespace galore {
namespace {

const Path kData = GALORE_VECTORS;

nlohmann::json manifest() { return nlohmann::json::parse(read_file(kData / "manifest.json")); }

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

class ReplayVectors : public testing::TestWithParam<bool> {};

void check_case(const nlohmann::json& test_case, const nlohmann::json& traces, bool layerwise) {
  SCOPED_TRACE(test_case["name"].get<std::string>());
  const SafetensorsReader trace(kData /
                                traces[test_case["trace"].get<std::string>()]["file"].get<std::string>());
  const SafetensorsReader expected(kData / test_case["file"].get<std::string>());
  ReplayOptions options = options_of(test_case);
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

TEST_P(ReplayVectors, MatchReferenceImplementations) {
  const nlohmann::json all = manifest();
  ASSERT_GE(all["cases"].size(), 30u);
  for (const auto& test_case : all["cases"]) check_case(test_case, all["traces"], GetParam());
}

INSTANTIATE_TEST_SUITE_P(BothDrivers, ReplayVectors, testing::Bool());

}  // namespace
}  // namespace galore
