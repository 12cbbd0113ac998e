// Tests which process keeps the state of a weight.
#include "optim/ownership.h"

#include <algorithm>
#include <numeric>

#include "core/silent_collective.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

// Returns the largest share of a process, as a multiple of equal shares.
double imbalance(const std::vector<OwnedBytes>& weights, int processes) {
  const std::vector<int> owners = owners_of(weights, processes);
  std::vector<double> loads(static_cast<size_t>(processes), 0);
  for (size_t i = 0; i < weights.size(); ++i)
    loads[static_cast<size_t>(owners[i])] += static_cast<double>(weights[i].bytes);
  const double all = std::accumulate(loads.begin(), loads.end(), 0.0);
  return *std::max_element(loads.begin(), loads.end()) / all * processes;
}

// The projected matrices of a LLaMA model: four of width x width and three of width x `wide` in each layer,
// with two moments and a sum of `rank` numbers for each element of the longer side.
std::vector<OwnedBytes> llama(int64_t layers, int64_t width, int64_t wide, int64_t rank) {
  std::vector<OwnedBytes> weights;
  for (int64_t layer = 0; layer < layers; ++layer)
    for (int64_t matrix = 0; matrix < 7; ++matrix) {
      const int64_t longer = matrix < 4 ? width : wide;
      weights.push_back(
          {std::to_string(layer) + "." + std::to_string(matrix), 8 * rank * longer + 4 * width * longer});
    }
  return weights;
}

TEST(Ownership, GivesTheLargestWeightsFirst) {
  EXPECT_EQ(owners_of({{"a", 1}, {"b", 5}, {"c", 3}, {"d", 2}}, 2), (std::vector<int>{0, 0, 1, 1}));
  // Equal weights follow their names, not their places.
  EXPECT_EQ(owners_of({{"b", 4}, {"a", 4}, {"c", 4}}, 2), (std::vector<int>{1, 0, 0}));
  EXPECT_EQ(owners_of({{"a", 1}}, 3), (std::vector<int>{0}));
}

TEST(Ownership, BalancesTheMatricesOfModels) {
  for (const auto& weights : {llama(8, 512, 1376, 128), llama(12, 768, 2048, 256), llama(24, 1024, 2736, 256),
                              llama(24, 2048, 5461, 512), llama(32, 4096, 11008, 1024)}) {
    for (const int processes : {2, 4, 8}) EXPECT_LT(imbalance(weights, processes), 1.03) << weights.size();
    EXPECT_GE(imbalance(weights, 8), 1);
  }
}

std::vector<StatePlace> places(const OptimizerOptions& options, int processes, int index = 0) {
  TestRun run("adamw_torch", "", all_kinds());
  const std::vector<bool> targeted{false, true, true, true, false};
  return places_of(run.list(), options, targeted, 1, SilentCollective(index, processes));
}

OptimizerOptions options_with_owners(const std::string& optim,
                                     const std::string& exchange_updates = "owners") {
  OptimizerOptions options;
  options.settings = resolve_optimizer(optim, "");
  options.exchange_updates = exchange_updates;
  return options;
}

TEST(Ownership, IsTheSameInAllProcesses) {
  const auto first = places(options_with_owners("galore_adamw"), 3, 0),
             last = places(options_with_owners("galore_adamw"), 3, 2);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].owner, last[i].owner);
    EXPECT_EQ(first[i].is_here, first[i].owner == 0);
    EXPECT_EQ(last[i].is_here, last[i].owner == 2);
  }
}

// Every process has the moments of its own weights alone.
TEST(Ownership, DividesTheMoments) {
  for (const std::string optim : {"galore_adamw", "adamw_torch", "fira_adamw"}) {
    const auto moments_of = [&](int processes, int index, const std::string& updates) {
      TestRun run("sgd", "", all_kinds());
      SilentCollective process(index, processes);
      run.optimizer = std::make_unique<Optimizer>(run.list(), options_with_owners(optim, updates),
                                                  run.workspace, process);
      return run.ledger.bytes(Owner::moments);
    };
    const int64_t all = moments_of(1, 0, "owners"), first = moments_of(2, 0, "owners"),
                  second = moments_of(2, 1, "owners");
    EXPECT_EQ(first + second, all) << optim;
    EXPECT_LT(std::max(first, second), 0.7 * static_cast<double>(all)) << optim;
    EXPECT_EQ(moments_of(2, 1, "all"), all) << optim;
  }
}

// All methods have owners but those with state that several weights share, or with ranks of their own choice.
TEST(Ownership, ServesAllMethodsButTwo) {
  std::vector<std::string> without;
  for (const Preset& preset : presets())
    for (const StatePlace& place : places(options_with_owners(preset.name), 2))
      if (!place.is_owned() && (without.empty() || without.back() != preset.name))
        without.push_back(preset.name);
  EXPECT_EQ(without, (std::vector<std::string>{"adarankgrad_adamw", "badam"}));
}

TEST(Ownership, AnswersByDirectionsOrValues) {
  using Answer = StatePlace::Answer;
  const auto galore = places(options_with_owners("galore_adamw"), 2),
             fira = places(options_with_owners("fira_adamw"), 2);
  for (size_t i = 0; i < galore.size(); ++i) {
    const bool is_projected = i >= 1 && i <= 3;
    EXPECT_EQ(galore[i].answer, is_projected ? Answer::direction : Answer::value);
    EXPECT_EQ(fira[i].answer, Answer::value);
    EXPECT_EQ(fira[i].has_basis, is_projected);
  }
}

// The embedding has three quarters of all numbers, and its owner's link would carry them alone. Answers in
// fp32 are larger than sums in bf16.
TEST(Ownership, IsLeftWhereItWouldTakeLonger) {
  const auto is_owned = [](const StatePlace& place) { return place.is_owned(); };
  const auto count = [&](const OptimizerOptions& options, int processes = 3) {
    const auto all = places(options, processes);
    return std::count_if(all.begin(), all.end(), is_owned);
  };
  OptimizerOptions options = options_with_owners("galore_adamw", "auto");
  options.settings = resolve_optimizer("galore_adamw", "rank=2");
  EXPECT_EQ(count(options), 4);
  EXPECT_EQ(count(options, 2), 4);
  EXPECT_FALSE(places(options, 3)[0].is_owned());
  options.exchange_dtype = "bfloat16";
  EXPECT_EQ(count(options), 0);
  options.exchange_updates = "owners";
  EXPECT_EQ(count(options), 5);
  EXPECT_EQ(count(options_with_owners("galore_adamw", "all")), 0);
}

}  // namespace
}  // namespace galore
