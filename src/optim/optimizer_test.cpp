// The optimizer around the methods: norms, clipping, gradients that are not finite, decay, refreshes, and
// updates that are dropped. Tests run with both drivers, except for features that only one has.
#include "optim/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim/gradient_buffer.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double norm_of(const std::vector<at::Tensor>& tensors) {
  double sum = 0;
  for (const at::Tensor& tensor : tensors) sum += tensor.to(at::kDouble).square().sum().item<double>();
  return std::sqrt(sum);
}

class Drivers : public testing::TestWithParam<bool> {
 protected:
  Drivers() {
    options_.layerwise = GetParam();
    options_.gradient = "full";
  }
  OptimizerOptions options_;
};
INSTANTIATE_TEST_SUITE_P(Both, Drivers, testing::Bool(),
                         [](const auto& info) { return info.param ? "layerwise" : "whole_model"; });

TEST_P(Drivers, ReportTheNormOfTheSummedGradient) {
  TestRun run("galore_adamw", "rank=4", all_kinds(), options_);
  const auto first = run.gradients(1), second = run.gradients(2);
  std::vector<at::Tensor> sum;
  for (size_t i = 0; i < first.size(); ++i) sum.push_back(first[i] + second[i]);
  // fp64 sums in another order
  EXPECT_NEAR(run.update({first}).gradient_norm / norm_of(first), 1, 1e-12);
  const UpdateReport report = run.update({first, second});
  EXPECT_NEAR(report.gradient_norm / norm_of(sum), 1, 1e-12);
  EXPECT_FALSE(report.norm_is_projected);
  EXPECT_EQ(report.clip_factor, 1);
}

TEST_P(Drivers, ReportTheNormBeforeClippingAndDecay) {
  options_.max_grad_norm = 0.01;
  options_.weight_decay = 0.5;
  TestRun run("galore_sgd", "rank=4", all_kinds(), options_);
  for (uint64_t seed = 1; seed <= 3; ++seed)
    EXPECT_NEAR(run.update(seed).gradient_norm / norm_of(run.gradients(seed)), 1, 1e-12);
}

TEST_P(Drivers, SayWhenTheNormIsThatOfProjections) {
  options_.gradient = "projected";
  TestRun run("galore_adamw", "rank=4,update_proj_gap=2,refresh=together", all_kinds(), options_);
  EXPECT_FALSE(run.update(1).norm_is_projected);
  const UpdateReport between = run.update(2);
  EXPECT_TRUE(between.norm_is_projected);
  EXPECT_LT(between.gradient_norm, norm_of(run.gradients(2)));
  EXPECT_FALSE(run.update(3).norm_is_projected);
}

// SGD with rate 1 subtracts exactly the gradient that it was given.
std::vector<at::Tensor> moves(TestRun& run, const std::vector<at::Tensor>& gradients, UpdateReport* report) {
  std::vector<at::Tensor> before, moved;
  for (const Parameter* parameter : run.list()) before.push_back(parameter->value.clone());
  *report = run.update({gradients}, 1);
  for (size_t i = 0; i < before.size(); ++i) moved.push_back(before[i] - run.list()[i]->value);
  return moved;
}

TEST(Clipping, OfTheWholeModelIsByItsNorm) {
  OptimizerOptions options;
  options.max_grad_norm = 2;
  TestRun run("sgd", "", all_kinds(), options);
  const auto gradients = run.gradients(1);
  UpdateReport report;
  const auto moved = moves(run, gradients, &report);
  EXPECT_NEAR(report.clip_factor, 2 / (norm_of(gradients) + 1e-6), 1e-12);
  EXPECT_NEAR(norm_of(moved), 2, 1e-4);  // weights of order 1 round their displacement in fp32
  for (size_t i = 0; i < moved.size(); ++i)
    EXPECT_TRUE(moved[i].allclose(gradients[i] * report.clip_factor, 0, 1e-6));
}

TEST_P(Drivers, LeaveSmallGradientsToTheBit) {
  TestRun free("galore_adamw", "rank=4", all_kinds(), options_);
  options_.max_grad_norm = 1e9;
  TestRun clipped("galore_adamw", "rank=4", all_kinds(), options_);
  for (uint64_t seed = 1; seed <= 3; ++seed) free.update(seed), clipped.update(seed);
  EXPECT_EQ(free.difference(clipped), "");
}

TEST(Clipping, LayerwiseIsByTheNormOfTheUpdateBefore) {
  OptimizerOptions options;
  options.layerwise = true;
  options.max_grad_norm = 2;
  TestRun run("sgd", "", all_kinds(), options);
  const auto first = run.gradients(1), second = run.gradients(2, 3.0);
  UpdateReport report;
  auto moved = moves(run, first, &report);
  EXPECT_EQ(report.clip_factor, 1);
  EXPECT_NEAR(norm_of(moved) / norm_of(first), 1, 1e-4);
  moved = moves(run, second, &report);
  EXPECT_NEAR(report.clip_factor, 2 / (norm_of(first) + 1e-6), 1e-12);
  EXPECT_NEAR(norm_of(moved) / (norm_of(second) * report.clip_factor), 1, 1e-4);
  moves(run, first, &report);
  EXPECT_NEAR(report.clip_factor, 2 / (norm_of(second) + 1e-6), 1e-12);
}

TEST(Clipping, LayerwisePerTensorIsByItsOwnNorm) {
  OptimizerOptions options;
  options.layerwise = true;
  options.layerwise_clipping = "per_tensor";
  options.max_grad_norm = 2;
  TestRun run("sgd", "", all_kinds(), options);
  auto gradients = run.gradients(1);
  gradients[2] *= 1e-3;  // below the threshold
  UpdateReport report;
  const auto moved = moves(run, gradients, &report);
  for (size_t i = 0; i < moved.size(); ++i) {
    const double norm = norm_of({gradients[i]}), factor = std::min(1.0, 2 / (norm + 1e-6));
    EXPECT_TRUE(moved[i].allclose(gradients[i] * factor, 0, 1e-6)) << i;
    EXPECT_LE(report.clip_factor, factor * (1 + 1e-12));  // the smallest factor is reported
  }
}

// The other weights are updated as if the bad weight did not exist, and are clipped by the norm of the finite
// gradients.
TEST_P(Drivers, LeaveAWeightAloneWhoseGradientIsNotFinite) {
  for (const double bad : {kNaN, kInfinity, 1e25}) {  // the square of 1e25 is infinite in fp32
    for (const double max_norm : {0.0, 1.0}) {
      options_.max_grad_norm = bad == 1e25 ? 0 : max_norm;
      TestRun run("galore_adamw", "rank=4,update_proj_gap=2", all_kinds(), options_);
      NamedTensors others = all_kinds();
      others.erase(others.begin() + 2);
      TestRun without("galore_adamw", "rank=4,update_proj_gap=2", others, options_);
      for (uint64_t seed = 1; seed <= 3; ++seed) {  // includes the refreshes of updates 1 and 3
        auto gradients = run.gradients(seed), rest = gradients;
        gradients[2][1][1] = bad;
        rest.erase(rest.begin() + 2);
        const UpdateReport report = run.update({gradients});
        without.update({rest});
        EXPECT_EQ(report.num_skipped, 1);
        ASSERT_EQ(report.notices.size(), 1u);
        EXPECT_NE(report.notices[0].find(kTall), std::string::npos) << report.notices[0];
      }
      EXPECT_TRUE(same_bits(run.weight(kTall), all_kinds()[2].second));
      for (const auto& [name, value] : StateCopy(*run.optimizer).values)
        EXPECT_TRUE(name.find(kTall) != 0 || value.count_nonzero().item<int64_t>() == 0) << name;
      for (const auto& [name, value] : others) {
        EXPECT_TRUE(same_bits(run.weight(name), without.weight(name))) << name;
        EXPECT_FALSE(same_bits(run.weight(name), value)) << name;
      }
    }
  }
}

// The buffer of its full gradient belongs to the next weight, so clipping cannot repair it.
TEST(ProjectedGradients, LeaveTheBasisAloneWhereASquareOverflows) {
  OptimizerOptions options;
  options.gradient = "projected";
  options.max_grad_norm = 1;
  TestRun run("galore_adamw", "rank=4", all_kinds(), options);
  auto gradients = run.gradients(1);
  gradients[2][1][1] = 1e25;
  const UpdateReport report = run.update({gradients});
  EXPECT_EQ(report.num_skipped, 1);
  EXPECT_TRUE(same_bits(run.weight(kTall), all_kinds()[2].second));
  for (const auto& [name, value] : StateCopy(*run.optimizer).values)
    EXPECT_TRUE(name.find(kTall) != 0 || value.count_nonzero().item<int64_t>() == 0) << name;
  EXPECT_EQ(run.update(2).num_skipped, 0);
}

TEST_P(Drivers, TakeTheFirstUsableGradientForTheBasisThatWasMissed) {
  TestRun run("galore_adamw", "rank=4,update_proj_gap=100", all_kinds(), options_);
  auto gradients = run.gradients(1);
  gradients[1][0][0] = kNaN;
  EXPECT_EQ(run.update({gradients}).num_refreshed, 2);
  EXPECT_EQ(run.update(2).num_refreshed, 1);
  EXPECT_EQ(run.update(3).num_refreshed, 0);
}

TEST_P(Drivers, DoNotClipByANormThatIsNotFinite) {
  options_.max_grad_norm = 1;
  TestRun run("adamw", "", all_kinds(), options_);
  run.update(1);
  auto gradients = run.gradients(2);
  gradients[0][0][0] = kInfinity;
  const UpdateReport bad = run.update({gradients});
  EXPECT_FALSE(std::isfinite(bad.gradient_norm));
  EXPECT_GT(bad.clip_factor, 0);
  EXPECT_GT(run.update(3).clip_factor, 0);
}

TEST(Discard, LeavesWeightsStateAndSchedule) {
  OptimizerOptions options;
  options.max_grad_norm = 1;
  options.rounding = "stochastic";
  const std::string args = "rank=4,update_proj_gap=2";
  TestRun run("galore_adamw", args, all_kinds(at::kBFloat16), options);
  TestRun never("galore_adamw", args, all_kinds(at::kBFloat16), options);
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    run.optimizer->begin_update(0.01, 1);
    for (Parameter* parameter : run.list())
      parameter->sink->add(at::full(parameter->value.sizes(), kNaN, at::kFloat)), parameter->sink->use_done();
    run.optimizer->finish_update(/*discard=*/true);
    EXPECT_EQ(run.difference(never), "");
    run.update(seed), never.update(seed);
    EXPECT_EQ(run.difference(never), "");
  }
  EXPECT_EQ(run.optimizer->num_updates(), 4);
}

// An update may be dropped before all parameters have reported.
TEST(Discard, WorksInTheMiddleOfAnUpdate) {
  TestRun run("galore_adamw", "rank=4", all_kinds()), never("galore_adamw", "rank=4", all_kinds());
  run.optimizer->begin_update(0.01, 2);
  run.parameter(kTall).sink->add(run.gradients(9)[2]);
  run.optimizer->finish_update(/*discard=*/true);
  run.update(1), never.update(1);
  EXPECT_EQ(run.difference(never), "");
}

TEST_P(Drivers, RefreshOnUpdatesOneAndEveryGapAfter) {
  for (const size_t micro_batches : {1, 3}) {
    TestRun run("galore_adamw", "rank=4,update_proj_gap=3,refresh=together", all_kinds(), options_);
    for (int64_t update = 1; update <= 8; ++update) {
      std::vector<std::vector<at::Tensor>> gradients;
      for (size_t i = 0; i < micro_batches; ++i)
        gradients.push_back(run.gradients(10 * static_cast<uint64_t>(update) + i));
      const auto before = StateCopy(*run.optimizer).values.at(std::string(kTall) + ".basis_right");
      const UpdateReport report = run.update(gradients);
      const auto after = StateCopy(*run.optimizer).values.at(std::string(kTall) + ".basis_right");
      const bool due = update % 3 == 1;
      EXPECT_EQ(report.num_refreshed, due ? 3 : 0) << update;
      EXPECT_EQ(same_bits(before, after), !due) << update;
      EXPECT_EQ(run.optimizer->num_updates(), update);
      EXPECT_TRUE(report.notices.empty());
    }
  }
}

TEST_P(Drivers, AllocateButDoNotMoveAtRateZero) {
  TestRun run("galore_adamw", "rank=4", all_kinds(), options_);
  run.update(1, 0.0);
  for (const auto& [name, value] : all_kinds()) EXPECT_TRUE(same_bits(run.weight(name), value)) << name;
  const auto state = StateCopy(*run.optimizer).values;
  EXPECT_GT(state.at(std::string(kTall) + ".moment2").max().item<float>(), 0);
  EXPECT_GT(state.at(std::string(kTall) + ".basis_right").abs().max().item<float>(), 0);
}

TEST_P(Drivers, WaitForEveryUseOfATiedWeight) {
  TestRun run("adamw", "", all_kinds(), options_, at::kCPU, /*embedding_uses=*/2);
  Parameter& tied = run.parameter(kEmbedding);
  const at::Tensor before = tied.value.clone(), gradient = run.gradients(1)[0];
  TestRun once("adamw", "", all_kinds(), options_);
  run.optimizer->begin_update(0.01, 1);
  tied.sink->add(gradient);
  tied.sink->use_done();
  EXPECT_TRUE(same_bits(tied.value, before));
  tied.sink->add(gradient);
  tied.sink->use_done();
  EXPECT_EQ(same_bits(tied.value, before), !GetParam()) << "layer-wise writes with the last report";
  for (size_t i = 1; i < 5; ++i)
    run.list()[i]->sink->add(run.gradients(1)[i]), run.list()[i]->sink->use_done();
  run.optimizer->finish_update();
  auto doubled = once.gradients(1);
  doubled[0] = gradient + gradient;
  once.update({doubled});
  EXPECT_EQ(run.difference(once), "");
}

TEST_P(Drivers, WriteWeightsWhenTheirDriverSays) {
  TestRun run("galore_adamw", "rank=4", all_kinds(), options_);
  const auto gradients = run.gradients(1);
  const at::Tensor before = run.weight(kTall).clone();
  run.optimizer->begin_update(0.01, 1);
  run.parameter(kTall).sink->add(gradients[2]);
  run.parameter(kTall).sink->use_done();
  EXPECT_EQ(same_bits(run.weight(kTall), before), !GetParam());
}

TEST(Optimizer, LetsGoOfItsParameters) {
  TestRun run("adamw", "", all_kinds());
  EXPECT_NE(run.parameter(kTall).sink, nullptr);
  run.optimizer.reset();
  EXPECT_EQ(run.parameter(kTall).sink, nullptr);
}

// The optimizer refuses the second of these two weights with lift=lazy and decay, because it is bf16.
struct HalfRefused {
  HalfRefused() {
    wide.name = kSquare, narrow.name = kTall;
    wide.value = random({16, 16}, 1), narrow.value = random({24, 16}, 2, at::kBFloat16);
    wide.whole_products = narrow.whole_products = true;
    options = with_settings({}, resolve_optimizer("galore_adamw", "rank=4"));
    options.lift = "lazy";
    options.weight_decay = 0.1;
  }
  Parameter wide, narrow;
  OptimizerOptions options;
  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
};

TEST(Optimizer, LeavesNothingBehindWhenItsConstructionFails) {
  HalfRefused given;
  EXPECT_THROW(Optimizer({&given.wide, &given.narrow}, given.options, given.workspace), UsageError);
  for (const Parameter* parameter : {&given.wide, &given.narrow}) {
    EXPECT_EQ(parameter->sink, nullptr) << parameter->name;
    EXPECT_EQ(parameter->term, nullptr) << parameter->name;
  }
  const Optimizer optimizer({&given.wide}, given.options, given.workspace);
  EXPECT_NE(given.wide.sink, nullptr) << "the first weight alone is accepted";
  EXPECT_NE(given.wide.term, nullptr);
}

// A tap or a second optimizer may have replaced the sink in the meantime.
TEST(Optimizer, LeavesASinkAloneThatIsNotItsOwn) {
  HalfRefused given;
  auto optimizer = std::make_unique<Optimizer>(ParameterList{&given.wide}, given.options, given.workspace);
  GradientBuffer other(given.wide, given.workspace, [] {});
  given.wide.sink = &other;
  optimizer.reset();
  EXPECT_EQ(given.wide.sink, &other);
}

TEST(FrozenParameters, HaveNoSinkAndNoStateAndAreNotWritten) {
  NamedTensors weights = all_kinds();
  std::vector<std::unique_ptr<Parameter>> owned;
  ParameterList all, trainable;
  for (const auto& [name, value] : weights) {
    owned.push_back(std::make_unique<Parameter>());
    owned.back()->name = name;
    owned.back()->role = role_by_name(name, value.dim());
    owned.back()->value = value.clone();
    owned.back()->trainable = name != kTall && name != kEmbedding;
    all.push_back(owned.back().get());
    if (owned.back()->trainable) trainable.push_back(owned.back().get());
  }
  const OptimizerOptions options = with_settings({}, resolve_optimizer("galore_adamw", "rank=4"));
  Ledger ledger(at::kCPU), small_ledger(at::kCPU);
  Workspace workspace(ledger), small_workspace(small_ledger);
  const int64_t state_of_trainable = [&] {
    const Optimizer small(trainable, options, small_workspace);
    return small_ledger.total();
  }();
  Optimizer optimizer(all, options, workspace);
  EXPECT_EQ(ledger.total(), state_of_trainable);
  optimizer.begin_update(0.1, 1);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->sink != nullptr, all[i]->trainable) << all[i]->name;
    if (!all[i]->sink) continue;
    all[i]->sink->add(decaying(all[i]->sizes(), i));
    all[i]->sink->use_done();
  }
  optimizer.finish_update();
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(same_bits(all[i]->value, weights[i].second), !all[i]->trainable) << all[i]->name;
  for (const auto& [name, value] : StateCopy(optimizer).values)
    EXPECT_TRUE(name.find(kTall) == std::string::npos && name.find(kEmbedding) == std::string::npos) << name;
}

TEST(Optimizer, MustHearFromEveryWeight) {
  TestRun run("adamw", "", all_kinds());
  run.optimizer->begin_update(0.01, 1);
  EXPECT_THROW(run.optimizer->finish_update(), std::logic_error);
}

// Every method treats a convolution's O x I x kh x kw as the matrix O x (I kh kw).
TEST(ManyDimensions, AreTrainedAsAMatrix) {
  for (const Preset& preset : presets()) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      OptimizerOptions options;
      options.master_weights = dtype == at::kBFloat16 && !preset.settings().quantized_weights;
      const std::string args = option_text(preset.settings(), "rank").empty() ? "" : "rank=4";
      const at::Tensor start = random({8, 6, 3, 3}, 7, dtype);
      TestRun folded(preset.name, args, {{kTall, start}}, options);
      TestRun flat(preset.name, args, {{kTall, start.view({8, 54})}}, options);
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        const at::Tensor gradient = decaying({8, 54}, seed);
        folded.update({{gradient.view({8, 6, 3, 3})}}), flat.update({{gradient}});
      }
      EXPECT_TRUE(same_bits(folded.weight(kTall).view({8, 54}), flat.weight(kTall))) << preset.name;
      EXPECT_FALSE(same_bits(folded.weight(kTall), start)) << preset.name;
    }
  }
}

}  // namespace
}  // namespace galore
