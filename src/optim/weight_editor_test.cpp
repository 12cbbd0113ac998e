// Layers that change weights and their state between updates.
#include "optim/weight_editor.h"

#include <ATen/ATen.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

// Edits after every second update.
class Editing : public UpdateListener {
 public:
  explicit Editing(const TestRun& run) : run_(run) {
    for (Parameter* parameter : run.list()) parameter->listener = this;
  }
  void after_update(int64_t update, StateEditor& state) override {
    calls.push_back(update);
    if (update % 2 != 0) return;
    state.reset(run_.parameter(kSquare));
    state.prune_at_random(run_.parameter(kTall), 0.5);
    state.prune_smallest(run_.parameter(kWide), 0.75);
    Parameter& norm = run_.parameter(kNorm);
    state.replace(norm, state.value(norm) * 0.5);
    state.note("halved");
  }
  std::vector<int64_t> calls;

 private:
  const TestRun& run_;
};

OptimizerOptions options_of_run(bool layerwise) {
  OptimizerOptions options;
  options.layerwise = layerwise;
  return options;
}

// A run with an editing layer. The listener is attached before the optimizer looks for listeners.
struct EditedRun {
  explicit EditedRun(const std::string& optim, const std::string& args = "", bool layerwise = false,
                     at::ScalarType dtype = at::kFloat)
      : run(optim, args, all_kinds(dtype), options_of_run(layerwise)), editing(run) {
    const OptimizerOptions options = run.optimizer->options();
    run.optimizer = nullptr;
    run.optimizer = std::make_unique<Optimizer>(run.list(), options, run.workspace);
  }
  TestRun run;
  Editing editing;
};

at::Tensor saved_part(const TestRun& run, const std::string& name) {
  return StateCopy(*run.optimizer).values.at(name);
}

std::string moment(const char* weight, const char* name = "moment1") {
  return std::string(weight) + "." + name;
}

int64_t zeros_in(const at::Tensor& x) { return (x == 0).sum().item<int64_t>(); }

TEST(WeightEditor, ChangesAveragesAndValues) {
  EditedRun edited("adamw_torch");
  TestRun plain("adamw_torch", "", all_kinds());
  for (int t = 1; t <= 2; ++t) plain.update(static_cast<uint64_t>(t));
  edited.run.update(1);
  EXPECT_EQ(zeros_in(saved_part(edited.run, moment(kTall))), 0);
  const UpdateReport report = edited.run.update(2);
  EXPECT_EQ(report.notices, std::vector<std::string>{"update 2: halved"});
  EXPECT_EQ(edited.editing.calls, (std::vector<int64_t>{1, 2}));
  for (const char* name : {"moment1", "moment2"}) {
    EXPECT_EQ(zeros_in(saved_part(edited.run, moment(kSquare, name))), 256) << "reset";
    // Half of 384 elements are drawn, with a standard deviation of ten; six deviations are allowed.
    EXPECT_NEAR(static_cast<double>(zeros_in(saved_part(edited.run, moment(kTall, name)))), 192, 60);
    EXPECT_EQ(zeros_in(saved_part(edited.run, moment(kWide, name))), 288) << "three quarters of 384";
    const at::Tensor kept = saved_part(edited.run, moment(kWide, name)),
                     all = saved_part(plain, moment(kWide, name));
    EXPECT_GT(kept.abs().masked_select(kept != 0).min().item<float>(),
              all.abs().masked_select(kept == 0).max().item<float>());
  }
  EXPECT_TRUE(at::equal(edited.run.weight(kNorm), plain.weight(kNorm) * 0.5));
  EXPECT_TRUE(at::equal(edited.run.weight(kTall), plain.weight(kTall)));
  EXPECT_EQ(saved_part(edited.run, moment(kSquare, "step")).item<int64_t>(), 2) << "counts go on";
}

TEST(WeightEditor, EightBitMomentsArePrunedInTheirNumbers) {
  EditedRun edited("adamw_8bit", "min_8bit_size=16,block_size=48");
  for (int t = 1; t <= 2; ++t) edited.run.update(static_cast<uint64_t>(t));
  const at::Tensor codes = saved_part(edited.run, moment(kSquare, "moment1.scales"));
  EXPECT_TRUE(at::equal(codes, at::zeros_like(codes)));
  edited.run.update(3);
  EXPECT_TRUE(edited.run.weight(kSquare).isfinite().all().item<bool>());
}

TEST(WeightEditor, DriversGiveTheSameBits) {
  for (const char* optim : {"adamw_torch", "galore_adamw", "adafactor", "adamw_8bit"}) {
    EditedRun whole(optim), layerwise(optim, "", /*layerwise=*/true);
    for (int t = 1; t <= 5; ++t) {
      whole.run.update(static_cast<uint64_t>(t));
      layerwise.run.update(static_cast<uint64_t>(t));
    }
    EXPECT_EQ(whole.run.difference(layerwise.run), "") << optim;
  }
}

TEST(WeightEditor, ResumesAcrossAnEditToTheLastBit) {
  for (const bool layerwise : {false, true}) {
    for (const char* optim : {"adamw_torch", "galore_adamw", "adamw_8bit"}) {
      EditedRun straight(optim, "", layerwise), resumed(optim, "", layerwise);
      for (int t = 1; t <= 3; ++t) straight.run.update(static_cast<uint64_t>(t));
      StateLoader loader(StateCopy(*straight.run.optimizer).values);
      resumed.run.optimizer->visit(loader);
      for (Parameter* parameter : resumed.run.list())
        parameter->value.copy_(straight.run.parameter(parameter->name).value);
      for (int t = 4; t <= 6; ++t) {
        straight.run.update(static_cast<uint64_t>(t));
        resumed.run.update(static_cast<uint64_t>(t));
      }
      EXPECT_EQ(straight.run.difference(resumed.run), "") << optim;
      EXPECT_EQ(resumed.editing.calls, (std::vector<int64_t>{4, 5, 6}));
    }
  }
}

// Makes a matrix higher after the second update.
class Growing : public UpdateListener {
 public:
  explicit Growing(Parameter& matrix) : matrix_(matrix) { matrix.listener = this; }
  void after_update(int64_t update, StateEditor& state) override {
    if (update != 2) return;
    const at::Tensor value = state.value(matrix_);
    state.resize(matrix_, at::cat({value, at::ones({3, value.size(1)})}, 0));
    state.report_rank("layer", 5, /*changed=*/true);
    state.report_rank("other", 2, /*changed=*/false);
  }

 private:
  Parameter& matrix_;
};

TEST(WeightEditor, ResizesAParameterWithItsAverages) {
  for (const char* args : {"", "min_8bit_size=16,block_size=48"}) {
    TestRun run(*args ? "adamw_8bit" : "adamw_torch", args, all_kinds());
    Growing growing(run.parameter(kTall));
    const OptimizerOptions options = run.optimizer->options();
    run.optimizer = nullptr;
    run.optimizer = std::make_unique<Optimizer>(run.list(), options, run.workspace);
    run.update(1);
    const at::Tensor before = run.weight(kTall).clone();
    const int64_t rows = before.size(0), weights = run.workspace.ledger().bytes(Owner::weights);
    const UpdateReport report = run.update(2);
    EXPECT_EQ(run.weight(kTall).size(0), rows + 3);
    EXPECT_EQ(report.mean_rank, 3.5);
    ASSERT_EQ(report.refreshed.size(), 1);
    EXPECT_EQ(report.refreshed[0].rank, 5);
    EXPECT_EQ(run.workspace.ledger().bytes(Owner::weights) - weights, 4 * 3 * before.size(1));
    EXPECT_EQ(saved_part(run, moment(kTall, "step")).item<int64_t>(), 2) << "counts go on";
    if (*args) continue;
    const at::Tensor grown = saved_part(run, moment(kTall));
    EXPECT_EQ(grown.size(0), rows + 3);
    EXPECT_EQ(zeros_in(grown), 3 * before.size(1)) << "old averages stay";
  }
}

TEST(WeightEditor, IsNotCalledForADiscardedUpdate) {
  EditedRun edited("adamw_torch");
  edited.run.optimizer->begin_update(0.1, 1);
  edited.run.optimizer->finish_update(/*discard=*/true);
  EXPECT_TRUE(edited.editing.calls.empty());
}

// The fp32 copy of a bf16 weight is the value that is read, and it is replaced too.
TEST(WeightEditor, KeepsMasterWeightsInStep) {
  OptimizerOptions options;
  options.master_weights = true;
  TestRun run("adamw_torch", "", all_kinds(at::kBFloat16), options);
  run.update(1, 1e-4);
  const at::Tensor master = saved_part(run, std::string(kNorm) + ".master_weight");
  Editing editing(run);
  const OptimizerOptions same = run.optimizer->options();
  run.optimizer = nullptr;
  run.optimizer = std::make_unique<Optimizer>(run.list(), same, run.workspace);
  StateCopy before(*run.optimizer);
  for (int t = 2; t <= 3; ++t) run.update(static_cast<uint64_t>(t), 0);
  const at::Tensor halved = saved_part(run, std::string(kNorm) + ".master_weight");
  EXPECT_TRUE(at::equal(halved, before.values.at(std::string(kNorm) + ".master_weight") * 0.5));
  EXPECT_TRUE(at::equal(run.weight(kNorm), halved.to(at::kBFloat16)));
}

}  // namespace
}  // namespace galore
