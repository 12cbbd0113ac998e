// Gradients that are projected while they are formed, and the gradient buffers that exist.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr int64_t kTokens = 64;

// Reports gradients as a model does: products for linear layers, rows for the embedding, a vector for the
// norm.
void report(TestRun& run, uint64_t seed, int64_t tokens = kTokens) {
  for (size_t i = run.list().size(); i-- > 0;) {  // in the order of a backward pass
    Parameter& parameter = *run.list()[i];
    const int64_t m = parameter.value.size(0);
    const uint64_t own = 100 * seed + 10 * i;
    if (parameter.value.dim() == 1) {
      parameter.sink->add(random({m}, own));
    } else if (parameter.name == kEmbedding) {
      const at::Tensor indices = at::arange(tokens).remainder(m);
      parameter.sink->add_rows(indices, decaying({tokens, parameter.value.size(1)}, own));
    } else {
      const at::Tensor output = decaying({tokens, m}, own);
      parameter.sink->add_product(output, decaying({tokens, parameter.value.size(1)}, own + 1));
    }
    for (int use = 0; use < parameter.uses; ++use) parameter.sink->use_done();
  }
}

void update_by_reports(TestRun& run, uint64_t seed, int64_t micro_batches = 1, int64_t tokens = kTokens) {
  run.optimizer->begin_update(0.01, micro_batches);
  for (int64_t i = 0; i < micro_batches; ++i) report(run, 10 * seed + static_cast<uint64_t>(i), tokens);
  run.optimizer->finish_update();
}

struct Case {
  std::string optim, args;
  at::ScalarType dtype = at::kFloat;
  double weight_decay = 0;
};

// Sets whole_products as the linear layers of a model do.
void say_whole_products(TestRun& run) {
  for (Parameter* parameter : run.list())
    parameter->whole_products = parameter->value.dim() == 2 && parameter->name != kEmbedding;
}

// Both compute one formula with products in another order. Adam divides by the root of the second moment, so
// fp32 rounding errors (1e-6 of a gradient's largest element) grow where elements are small: directions agree
// to 1e-3 of their norm. bf16 weights are rounded to 2^-9 of themselves, to one of two neighbours.
void expect_projected_equals_full(const Case& c, OptimizerOptions options, int64_t micro_batches,
                                  bool by_products = false) {
  options.weight_decay = c.weight_decay;
  options.gradient = "full";
  TestRun full(c.optim, c.args, all_kinds(c.dtype), options);
  options.gradient = "projected";
  TestRun projected(c.optim, c.args, all_kinds(c.dtype), options);
  if (by_products) say_whole_products(projected);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    update_by_reports(full, seed, micro_batches);
    update_by_reports(projected, seed, micro_batches);
  }
  for (const auto& [name, value] : all_kinds(c.dtype)) {
    const at::Tensor first = value.to(at::kFloat);
    const at::Tensor a = full.weight(name).to(at::kFloat) - first;
    const at::Tensor b = projected.weight(name).to(at::kFloat) - first;
    EXPECT_GT(b.norm().item<double>(), 0) << name;
    EXPECT_LE(relative_difference(b, a), c.dtype == at::kFloat ? 1e-3 : 0.2) << c.optim << c.args << name;
  }
}

TEST(ProjectedGradients, EqualFullOnesToRounding) {
  for (const std::string type : {"right", "left", "full", "std"}) {
    const std::string args = "rank=4,update_proj_gap=3,subspace=svd,scale=1,proj_type=" + type;
    for (const bool layerwise : {false, true}) {
      for (const int64_t micro_batches : {1, 3}) {
        OptimizerOptions options;
        options.layerwise = layerwise;
        const auto check = [&](const Case& c) { expect_projected_equals_full(c, options, micro_batches); };
        check({"galore_adamw", args});
        check({"galore_adafactor", args});
        check({"galore_sgd", args + ",momentum=0.9"});
        check({"galore_sgd", args + ",momentum=0.9", at::kFloat, 0.1});
        check({"galore_sgd", args, at::kBFloat16, 0.1});
        check({"galore_adamw", args, at::kBFloat16, 0.1});
      }
    }
  }
}

// The basis is found by products with the gradient's factors, which is the same search with products in
// another order.
TEST(ProjectedGradients, EqualFullOnesWhereBasesAreFoundByProducts) {
  for (const std::string finder : {"warm", "randomized", "sketch"}) {
    for (const std::string type : {"right", "left", "std"}) {
      for (const bool layerwise : {false, true}) {
        OptimizerOptions options;
        options.layerwise = layerwise;
        const std::string args = "rank=4,update_proj_gap=3,scale=1,proj_type=" + type + ",subspace=" + finder;
        expect_projected_equals_full({"galore_adamw", args}, options, 1, true);
        expect_projected_equals_full({"galore_adamw", args}, options, 3, true);
        expect_projected_equals_full({"galore_adamw_8bit", args + ",min_8bit_size=0"}, options, 1, true);
        expect_projected_equals_full({"galore_sgd", args + ",momentum=0.9"}, options, 1, true);
        expect_projected_equals_full({"galore_sgd", args + ",momentum=0.9,moment_transport=true"}, options, 1,
                                     true);
      }
    }
  }
}

// The first micro-batch gives the basis, and all micro-batches enter the low-rank gradient.
TEST(ProjectedGradients, MayTakeTheBasisOfTheFirstMicroBatch) {
  OptimizerOptions options;
  options.gradient = "projected";
  options.basis_gradient = "first_micro_batch";
  TestRun one("galore_sgd", "rank=4,subspace=warm,scale=1", all_kinds(), options);
  TestRun three("galore_sgd", "rank=4,subspace=warm,scale=1", all_kinds(), options);
  say_whole_products(one), say_whole_products(three);
  one.optimizer->begin_update(0, 1);
  report(one, 10);
  one.optimizer->finish_update();
  update_by_reports(three, 1, 3);
  const auto bases = StateCopy(*one.optimizer).values, others = StateCopy(*three.optimizer).values;
  const std::string name = std::string(kTall) + ".basis_right";
  EXPECT_TRUE(same_bits(bases.at(name), others.at(name)));
  at::Tensor whole = at::zeros_like(three.weight(kTall));
  for (uint64_t i = 0; i < 3; ++i) {
    const uint64_t own = 100 * (10 + i) + 10 * 2;  // the third weight of all_kinds()
    whole += decaying({kTokens, whole.size(0)}, own).t().mm(decaying({kTokens, whole.size(1)}, own + 1));
  }
  const at::Tensor basis = bases.at(name), moved = all_kinds()[2].second - three.weight(kTall);
  EXPECT_LE(relative_difference(moved, 0.01 * whole.matmul(basis).matmul(basis.t())), 1e-4);
}

TEST(ProjectedGradients, SayWhenNoBasisCanBeTaken) {
  OptimizerOptions options;
  options.gradient = "projected";
  TestRun run("galore_adamw", "rank=4,subspace=warm", all_kinds(), options);
  say_whole_products(run);
  run.optimizer->begin_update(0.01, 1);
  run.parameter(kTall).sink->add_product(at::full({kTokens, 24}, std::nan("")), at::ones({kTokens, 16}));
  for (Parameter* parameter : run.list())
    for (int use = 0; use < parameter->uses; ++use) parameter->sink->use_done();
  const UpdateReport report = run.optimizer->finish_update();
  EXPECT_EQ(report.num_skipped, 1);
  EXPECT_TRUE(same_bits(run.weight(kTall), all_kinds()[2].second));
  ASSERT_FALSE(report.notices.empty());
  EXPECT_NE(report.notices[0].find("not finite"), std::string::npos) << report.notices[0];
}

TEST(ProjectedGradients, WorkForAnEmbeddingThatWasNamed) {
  OptimizerOptions options;
  options.target_modules = {"embed_tokens", "mlp"};
  for (const std::string type : {"right", "left", "full"})
    expect_projected_equals_full({"galore_sgd", "rank=4,scale=1,subspace=svd,proj_type=" + type}, options, 2);
}

// The tolerance is fp32 rounding of products in another order. Short gradients use the Gram matrices of the
// tokens (64 tokens would not), long ones the gradient itself.
TEST(ProjectedGradients, KnowTheNormOfWholeGradientsWhereItIsWanted) {
  for (const int64_t tokens : {4, 64}) {
    const at::Tensor output = random({tokens, 24}, 1), input = random({tokens, 16}, 2);
    const double norm = output.t().mm(input).norm().item<double>();
    for (const bool layerwise : {false, true}) {
      for (const double max_norm : {0.0, norm / 2}) {
        OptimizerOptions options;
        options.gradient = "projected";
        options.layerwise = layerwise;
        options.max_grad_norm = max_norm;  // "auto" computes the exact norm when it clips
        TestRun run("galore_adamw", "rank=2,subspace=warm", {{kTall, all_kinds()[2].second}}, options);
        say_whole_products(run);
        for (int update = 0; update < 2; ++update) {
          run.optimizer->begin_update(0.01, 1);
          run.list()[0]->sink->add_product(output, input);
          run.list()[0]->sink->use_done();
          const UpdateReport report = run.optimizer->finish_update();
          EXPECT_EQ(report.norm_is_projected, max_norm == 0);
          if (max_norm == 0) {
            EXPECT_LT(report.gradient_norm, norm);
            EXPECT_GT(report.gradient_norm, 0);
            continue;
          }
          EXPECT_NEAR(report.gradient_norm, norm, 1e-5 * norm);
          if (!layerwise || update > 0) {
            EXPECT_NEAR(report.clip_factor, 0.5, 1e-4);
          }
        }
      }
    }
  }
}

int64_t bytes_of(const std::string& name) {
  for (const auto& [known, value] : all_kinds())
    if (known == name) return 4 * value.numel();
  return 0;
}

int64_t gradient_bytes(const std::string& optim, OptimizerOptions options, int64_t micro_batches = 1,
                       int embedding_uses = 1) {
  TestRun run(optim, optim == "adamw" ? "" : "rank=4,update_proj_gap=2,refresh=together", all_kinds(),
              std::move(options), at::kCPU, embedding_uses);
  std::vector<int64_t> after;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    update_by_reports(run, seed, micro_batches);
    after.push_back(run.ledger.bytes(Owner::gradients));
  }
  EXPECT_EQ(after[1], after[3]) << "buffers grow from update to update";
  return after[3];
}

TEST(GradientBuffers, AreOneInLayerwiseMode) {
  OptimizerOptions options;
  options.gradient = "full";
  options.layerwise = true;
  // The largest weights are the embedding (30 x 16), then tall and wide (24 x 16).
  EXPECT_EQ(gradient_bytes("adamw", options), bytes_of(kEmbedding));
  EXPECT_EQ(gradient_bytes("galore_adamw", options), bytes_of(kEmbedding));
  // A tied weight keeps its own buffer until its second use has reported.
  EXPECT_EQ(gradient_bytes("galore_adamw", options, 1, 2), bytes_of(kEmbedding) + bytes_of(kTall));
}

int64_t all_bytes() {
  int64_t bytes = 0;
  for (const auto& [name, value] : all_kinds()) bytes += bytes_of(name);
  return bytes;
}

TEST(GradientBuffers, AreOneAWeightOtherwise) {
  OptimizerOptions options;
  options.gradient = "full";
  EXPECT_EQ(gradient_bytes("adamw", options), all_bytes());
  EXPECT_EQ(gradient_bytes("galore_adamw", options), all_bytes());
  options.layerwise = true;  // with accumulation a gradient must outlive its micro-batch
  EXPECT_EQ(gradient_bytes("galore_adamw", options, 2), all_bytes());
}

TEST(GradientBuffers, AreSmallWhenProjectedAndNoRefreshIsDue) {
  OptimizerOptions options;
  options.layerwise = true;
  options.gradient = "projected";
  // In addition to the shared buffer there is one for low-rank gradients; the largest is 24 x 4.
  EXPECT_EQ(gradient_bytes("galore_adamw", options), bytes_of(kEmbedding) + 4 * 24 * 4);
}

// A refresh takes its basis in the backward pass and keeps the projection. In addition to the weights that
// are never projected, there are only low-rank gradients (square 16 x 4, tall 24 x 4, wide 4 x 24) and one
// full gradient.
TEST(GradientBuffers, HoldOneGradientInFullAtARefresh) {
  OptimizerOptions options;
  options.gradient = "projected";
  const int64_t low_rank = 4 * 4 * (16 + 24 + 24), plain = bytes_of(kEmbedding) + bytes_of(kNorm);
  EXPECT_EQ(gradient_bytes("galore_adamw", options), plain + low_rank + bytes_of(kTall));
  // As long as a whole-model update may be discarded, each weight that refreshes keeps its own full gradient.
  options.may_discard = true;
  EXPECT_GT(gradient_bytes("galore_adamw", options), plain + low_rank + bytes_of(kTall));
}

// Bases that are found by products need no full gradient except for weights that are never projected. If a
// search is cheaper with the gradient formed, as with these 64 tokens, one full gradient exists at a time.
TEST(GradientBuffers, HoldAtMostOneFullGradientOfAProjectedWeight) {
  for (const bool layerwise : {false, true}) {
    for (const int64_t micro_batches : {1, 3}) {
      for (const int64_t tokens : {4, 64}) {
        OptimizerOptions options;
        options.gradient = "projected";
        options.basis_gradient = "first_micro_batch";
        options.layerwise = layerwise;
        TestRun run("galore_adamw", "rank=4,update_proj_gap=2,subspace=warm", all_kinds(), options);
        say_whole_products(run);
        for (uint64_t seed = 1; seed <= 4; ++seed) update_by_reports(run, seed, micro_batches, tokens);
        const int64_t low_rank = 4 * 4 * (16 + 24 + 24), plain = bytes_of(kEmbedding) + bytes_of(kNorm);
        const bool shares = layerwise && micro_batches == 1;
        const int64_t formed = tokens == 64 && !shares ? bytes_of(kTall) : 0;
        EXPECT_EQ(run.ledger.bytes(Owner::gradients),
                  formed + (shares ? bytes_of(kEmbedding) + 4 * 24 * 4 : plain + low_rank))
            << layerwise << micro_batches << tokens;
      }
    }
  }
}

TEST(Refreshes, AreSpreadOverTheGapWhenStaggered) {
  const std::string args =
      "rank=4,update_proj_gap=7,subspace=warm";  // three projected weights have the phases 0, 2 and 4
  TestRun run("galore_adamw", args, all_kinds());
  std::vector<int64_t> refreshed;
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    run.optimizer->begin_update(0.01, 1);
    report(run, seed);
    refreshed.push_back(run.optimizer->finish_update().num_refreshed);
  }
  EXPECT_EQ(refreshed, (std::vector<int64_t>{3, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1}));
  TestRun together("galore_adamw", args + ",refresh=together", all_kinds());
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    together.optimizer->begin_update(0.01, 1);
    report(together, seed);
    EXPECT_EQ(together.optimizer->finish_update().num_refreshed, seed % 7 == 1 ? 3 : 0);
  }
}

// An update without a gradient for one weight leaves the weight and its state alone, and takes its first
// basis when a gradient comes.
TEST(MissingGradient, LeavesTheWeightAndItsRefreshForLater) {
  for (const char* layerwise : {"false", "true"})
    for (const char* gradient : {"projected", "full"}) {
      OptimizerOptions options;
      options.gradient = gradient;
      options.layerwise = std::string(layerwise) == "true";
      options.weight_decay = 0.1;
      TestRun run("galore_adamw", "rank=4", all_kinds(), options);
      say_whole_products(run);
      std::vector<at::Tensor> before;
      for (const Parameter* parameter : run.list()) before.push_back(parameter->value.clone());
      run.optimizer->begin_update(0.01, 1);
      for (Parameter* parameter : run.list())
        for (int use = 0; use < parameter->uses; ++use) parameter->sink->use_done();
      run.optimizer->finish_update();
      for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(run.list()[i]->value.equal(before[i]));
      update_by_reports(run, 1);
      for (size_t i = 0; i < before.size(); ++i) EXPECT_FALSE(run.list()[i]->value.equal(before[i]));
    }
}

}  // namespace
}  // namespace galore
