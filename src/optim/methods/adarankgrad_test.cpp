// Tests AdaRankGrad: the rank it takes, its treatment of moments and memory, and the time of its refreshes.
#include "optim/methods/adarankgrad.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "optim/methods/test_method.h"

namespace galore {
namespace {

using testing_method::OneMethod;
using testing_optimizer::all_kinds;
using testing_optimizer::kTall;
using testing_optimizer::orthonormal;
using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::TestRun;

// Returns a matrix with these singular values in random directions.
at::Tensor with_values(int64_t m, int64_t n, const std::vector<float>& values, uint64_t seed = 1) {
  const auto count = static_cast<int64_t>(values.size());
  return (orthonormal(m, count, seed) * at::tensor(values)).mm(orthonormal(n, count, seed + 100).t());
}

int64_t rank_for(const std::string& args, const at::Tensor& gradient) {
  OneMethod method("adarankgrad_adamw", "rank=8," + args, gradient.size(0), gradient.size(1));
  method.full(gradient, 1, true);
  return method.method->subspace()->rank();
}

// The squares are 64, 16, 4 and 1, together 85. The shares that 1, 2, 3 and 4 directions leave out are 0.247,
// 0.059, 0.012 and 0.
TEST(AdaRankGrad, TakesTheFewestDirectionsThatLeaveOutNoMoreThanItsShare) {
  const std::vector<std::pair<std::string, int64_t>> expected{{"energy=0.25", 1},
                                                              {"energy=0.24", 2},
                                                              {"energy=0.06", 2},
                                                              {"energy=0.05", 3},
                                                              {"energy=0.011", 4},
                                                              {"energy=0.25,min_rank=3", 3},
                                                              {"energy=0.001,max_rank=2", 2},
                                                              {"energy=1", 1}};
  for (const auto& [m, n] : testing_method::kShapes)
    for (const char* finder : {"svd", "warm", "randomized"})
      for (const auto& [args, rank] : expected)
        EXPECT_EQ(rank_for(args + ",subspace=" + finder, with_values(m, n, {8, 4, 2, 1})), rank)
            << args << finder;
}

TEST(AdaRankGrad, OfAllEnergyIsGaLoreUntilItsSecondRefresh) {
  TestRun adaptive("adarankgrad_adamw", "rank=4,energy=0,update_proj_gap=3,refresh=together", all_kinds());
  TestRun galore("galore_adamw", "rank=4,update_proj_gap=3,refresh=together", all_kinds());
  for (uint64_t t = 1; t <= 3; ++t) {
    adaptive.update(t), galore.update(t);
    for (const auto& [name, start] : all_kinds())
      EXPECT_TRUE(at::equal(adaptive.weight(name), galore.weight(name))) << name << t;
  }
}

std::map<std::string, at::Tensor> state_of(Method& method) {
  struct Copy : StateVisitor {
    void tensor(const std::string& name, at::Tensor& tensor) override { values[name] = tensor.clone(); }
    void scalar(const std::string&, int64_t&) override {}
    void scalar(const std::string&, double&) override {}
    std::map<std::string, at::Tensor> values;
  } copy;
  method.visit(copy);
  return copy.values;
}

// The second gradient has the same two directions in another order. The basis rotates, but the lifted moments
// stay the same.
TEST(AdaRankGrad, MomentsKeepTheirMeaningInATurnedBasis) {
  for (const auto& [m, n] : testing_method::kShapes) {
    OneMethod method("adarankgrad_adamw", "rank=2,energy=0,subspace=svd", m, n);
    method.full(with_values(m, n, {4, 1}), 1, true);
    const bool right = method.method->subspace()->side() == Side::right;
    const auto before = state_of(*method.method);
    method.method->refresh(DenseGradient(with_values(m, n, {1, 4})), RandomStream(1, "refresh"), 1);
    const auto after = state_of(*method.method);
    const auto full = [&](const std::map<std::string, at::Tensor>& state) {
      return right ? state.at("moment1").mm(state.at("basis_right").t())
                   : state.at("basis_left").mm(state.at("moment1"));
    };
    EXPECT_LE(relative_difference(full(after), full(before)), 1e-5);  // tolerance: the rounding of two SVDs
    // The rotation exchanges two axes up to signs, so the squares change places.
    EXPECT_LE(relative_difference(after.at("moment2"), before.at("moment2").flip({right ? 1 : 0})), 1e-4);
  }
}

TEST(AdaRankGrad, GivesMemoryBackAndTakesItAgain) {
  OneMethod method("adarankgrad_adamw", "rank=8,energy=0.001", 30, 20);
  const auto bytes = [&](int64_t rank) { return 4 * (20 * rank + 2 * 30 * rank); };
  const auto held = [&] { return method.ledger.bytes(Owner::moments) + method.ledger.bytes(Owner::bases); };
  EXPECT_EQ(held(), bytes(8));
  int64_t step = 0;
  for (const auto& [values, rank] :
       std::vector<std::pair<std::vector<float>, int64_t>>{{{5, 4, 3, 2, 1}, 5},
                                                           {{5, 4}, 2},
                                                           {{3, 3, 3, 3}, 4},
                                                           {{1}, 1},
                                                           {{9, 8, 7, 6, 5, 4, 3, 2, 1}, 8}}) {
    method.full(with_values(30, 20, values, static_cast<uint64_t>(rank)), ++step, true);
    EXPECT_EQ(method.method->subspace()->rank(), rank);
    EXPECT_EQ(held(), bytes(rank));
    EXPECT_TRUE(method.full(random({30, 20}, 7), ++step, false).isfinite().all().item<bool>());
  }
}

TEST(AdaRankGrad, KeepsItsRankOnAGradientOfZeros) {
  OneMethod method("adarankgrad_adamw", "rank=8", 30, 20);
  method.full(with_values(30, 20, {5, 4, 3}), 1, true);
  const int64_t rank = method.method->subspace()->rank();
  method.full(at::zeros({30, 20}), 2, true);
  EXPECT_EQ(method.method->subspace()->rank(), rank);
}

TEST(AdaRankGrad, RefreshesWhenWhatItHoldsIsUsedUp) {
  TestRun run("adarankgrad_adamw", "rank=4,inner_criterion=0.5,min_gap=2,max_gap=4",
              {{kTall, random({24, 16}, 1)}});
  const at::Tensor g = with_values(24, 16, {8, 4, 2, 1});
  std::string refreshed;
  // Update 5 refreshes max_gap updates after update 1. Update 6 has less than half of its norm, so update 7
  // refreshes. Update 9 has a quarter of that norm, so update 10 refreshes.
  for (const double size : {1.0, 1.0, 1.0, 1.0, 1.0, 0.4, 0.4, 0.4, 0.1, 0.1})
    refreshed += run.update({{g * size}}).num_refreshed > 0 ? 'R' : '.';
  EXPECT_EQ(refreshed, "R...R.R..R");
}

TEST(AdaRankGrad, RefusesToKeepMomentsWhereTheyAre) {
  EXPECT_THROW(OneMethod("adarankgrad_adamw", "moment_transport=false", 30, 20), UsageError);
}

TEST(AdaRankGrad, ReportsItsRanks) {
  TestRun run("adarankgrad_adamw", "rank=4,energy=0.001,update_proj_gap=2,refresh=together",
              {{kTall, at::zeros({24, 16})}});
  const UpdateReport first = run.update({{with_values(24, 16, {3, 2})}});
  EXPECT_EQ(first.mean_rank, 2);
  ASSERT_EQ(first.refreshed.size(), 1u);
  EXPECT_EQ(first.refreshed[0].parameter, kTall);
  EXPECT_EQ(first.refreshed[0].rank, 2);
  const UpdateReport second = run.update({{with_values(24, 16, {3, 2})}});
  EXPECT_EQ(second.mean_rank, 2);
  EXPECT_TRUE(second.refreshed.empty());
  TestRun galore("galore_adamw", "rank=4", all_kinds());
  EXPECT_EQ(galore.update(1).mean_rank, 0);
}

}  // namespace
}  // namespace galore
