// Gradients that are projected while they are formed, and which gradient buffers exist.
#include <gtest/gtest.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr int64_t kTokens = 64;

// Reports as a model does: products of linears, rows of the embedding, a vector of the norm.
void report(TestRun& run, uint64_t seed) {
  for (size_t i = run.list().size(); i-- > 0;) {  // in the order of a backward pass
    Parameter& parameter = *run.list()[i];
    const int64_t m = parameter.value.size(0);
    const uint64_t own = 100 * seed + 10 * i;
    if (parameter.value.dim() == 1) {
      parameter.sink->add(random({m}, own));
    } else if (parameter.name == kEmbedding) {
      const at::Tensor indices = at::arange(kTokens).remainder(m);
      parameter.sink->add_rows(indices, decaying({kTokens, parameter.value.size(1)}, own));
    } else {
      const at::Tensor output = decaying({kTokens, m}, own);
      parameter.sink->add_product(output, decaying({kTokens, parameter.value.size(1)}, own + 1));
    }
    for (int use = 0; use < parameter.uses; ++use) parameter.sink->use_done();
  }
}

void update_by_reports(TestRun& run, uint64_t seed, int64_t micro_batches = 1) {
  run.optimizer->begin_update(0.01, micro_batches);
  for (int64_t i = 0; i < micro_batches; ++i) report(run, 10 * seed + static_cast<uint64_t>(i));
  run.optimizer->finish_update();
}

struct Case {
  std::string optim, args;
  at::ScalarType dtype = at::kFloat;
  double weight_decay = 0;
};

// The same formula in another order of products. Adam divides by the root of the second moment, so fp32
// rounding (1e-6 of the largest element of a gradient) grows where elements are small: directions agree to
// 1e-3 of their norm. bf16 weights round at 2^-9 of themselves, to one of two neighbours.
void expect_projected_equals_full(const Case& c, OptimizerOptions options, int64_t micro_batches) {
  options.weight_decay = c.weight_decay;
  TestRun full(c.optim, c.args, all_kinds(c.dtype), options);
  options.gradient = "projected";
  TestRun projected(c.optim, c.args, all_kinds(c.dtype), options);
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

TEST(ProjectedGradients, WorkForAnEmbeddingThatWasNamed) {
  OptimizerOptions options;
  options.target_modules = {"embed_tokens", "mlp"};
  for (const std::string type : {"right", "left", "full"})
    expect_projected_equals_full({"galore_sgd", "rank=4,scale=1,subspace=svd,proj_type=" + type}, options, 2);
}

int64_t bytes_of(const std::string& name) {
  for (const auto& [known, value] : all_kinds())
    if (known == name) return 4 * value.numel();
  return 0;
}

int64_t gradient_bytes(const std::string& optim, OptimizerOptions options, int64_t micro_batches = 1,
                       int embedding_uses = 1) {
  TestRun run(optim, optim == "adamw" ? "" : "rank=4,update_proj_gap=2", all_kinds(), std::move(options),
              at::kCPU, embedding_uses);
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
  options.layerwise = true;
  // The largest weights are the embedding (30 x 16) and then tall and wide (24 x 16).
  EXPECT_EQ(gradient_bytes("adamw", options), bytes_of(kEmbedding));
  EXPECT_EQ(gradient_bytes("galore_adamw", options), bytes_of(kEmbedding));
  // A tied weight keeps its own until its second use has reported.
  EXPECT_EQ(gradient_bytes("galore_adamw", options, 1, 2), bytes_of(kEmbedding) + bytes_of(kTall));
}

int64_t all_bytes() {
  int64_t bytes = 0;
  for (const auto& [name, value] : all_kinds()) bytes += bytes_of(name);
  return bytes;
}

TEST(GradientBuffers, AreOneAWeightOtherwise) {
  OptimizerOptions options;
  EXPECT_EQ(gradient_bytes("adamw", options), all_bytes());
  EXPECT_EQ(gradient_bytes("galore_adamw", options), all_bytes());
  options.layerwise = true;  // with accumulation a gradient must outlive its micro-batch
  EXPECT_EQ(gradient_bytes("galore_adamw", options, 2), all_bytes());
}

TEST(GradientBuffers, AreSmallWhenProjectedAndNoRefreshIsDue) {
  OptimizerOptions options;
  options.layerwise = true;
  options.gradient = "projected";
  // Beside the shared buffer, one for low-rank gradients: the largest is 24 x 4.
  EXPECT_EQ(gradient_bytes("galore_adamw", options), bytes_of(kEmbedding) + 4 * 24 * 4);
}

// A refresh takes its basis in the backward pass and keeps the projection: beside what is never projected,
// low-rank gradients (square 16 x 4, tall 24 x 4, wide 4 x 24) and one gradient in full are all there ever
// is.
TEST(GradientBuffers, HoldOneGradientInFullAtARefresh) {
  OptimizerOptions options;
  options.gradient = "projected";
  const int64_t low_rank = 4 * 4 * (16 + 24 + 24), plain = bytes_of(kEmbedding) + bytes_of(kNorm);
  EXPECT_EQ(gradient_bytes("galore_adamw", options), plain + low_rank + bytes_of(kTall));
  // With a whole-model discard still possible, each refreshing weight keeps its own.
  options.may_discard = true;
  EXPECT_GT(gradient_bytes("galore_adamw", options), plain + low_rank + bytes_of(kTall));
}

TEST(Refreshes, AreSpreadOverTheGapWhenStaggered) {
  const std::string args =
      "rank=4,update_proj_gap=7,subspace=warm";  // three projected weights: phases 0, 2, 4
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

}  // namespace
}  // namespace galore
