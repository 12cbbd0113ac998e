// GPT-2's dropout: where it is applied, and that equal masks are drawn every time.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_tensors.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"

namespace galore {
namespace {

constexpr double kScale = 0.01;

struct Rates {
  double embedding, residual, attention;
};

ModelConfig config_with(const Rates& rates) {
  ModelConfig config;
  config.model_type = "gpt2";
  config.hidden_act = "gelu_new";
  config.tie_word_embeddings = true;
  config.vocab_size = 101, config.hidden_size = 48, config.intermediate_size = 80;
  config.num_hidden_layers = 2, config.num_attention_heads = config.num_key_value_heads = 4;
  config.head_dim = 12, config.initializer_range = 0.1;
  config.embd_pdrop = rates.embedding, config.resid_pdrop = rates.residual,
  config.attn_pdrop = rates.attention;
  return config;
}

at::Tensor three_rows() { return at::arange(3 * 70, at::kLong).mul(37).remainder(101).view({3, 70}); }

struct DropoutTrial {
  explicit DropoutTrial(const Rates& rates, bool checkpointing = false, at::ScalarType dtype = at::kFloat)
      : ledger(at::kCPU), model(make_causal_lm(config_with(rates), {dtype, dtype, checkpointing}, ledger)) {
    at::set_num_threads(1);  // barriers of two threads spin while other tests use the processors
    model->initialize(7);
    collector = std::make_unique<GradientCollector>(model->parameters(), ledger, dtype);
  }
  double step(const DropoutPlace& place) {
    collector->clear();
    model->set_dropout(place);
    return model->train_step(three_rows(), three_rows(), kScale).loss;
  }
  std::vector<at::Tensor> gradients() const {
    std::vector<at::Tensor> all;
    for (const Parameter* parameter : model->parameters())
      all.push_back((*collector)[parameter->name].gradient().clone());
    return all;
  }

  Ledger ledger;
  std::unique_ptr<CausalLM> model;
  std::unique_ptr<GradientCollector> collector;
};

constexpr Rates kAll{0.1, 0.1, 0.1};
constexpr Rates kEach[] = {{0.3, 0, 0}, {0, 0.3, 0}, {0, 0, 0.3}, kAll};

TEST(ModelDropout, IsOfTrainingAlone) {
  for (const Rates& rates : kEach) {
    DropoutTrial run(rates), none({0, 0, 0});
    const double plain = none.model->train_step(three_rows(), three_rows(), kScale).loss;
    EXPECT_EQ(run.model->train_step(three_rows(), three_rows(), kScale).loss, plain)
        << "nobody said where it stands";
    EXPECT_NE(run.step({1, 0, 0}), plain);
    EXPECT_EQ(run.model->evaluate(three_rows(), three_rows()).loss, plain);
    EXPECT_EQ(none.step({1, 0, 0}), plain) << "the configuration has none";
    EXPECT_TRUE(at::equal(run.model->logits(three_rows()), none.model->logits(three_rows())));
  }
}

TEST(ModelDropout, DependsOnItsPlaceAlone) {
  for (const Rates& rates : kEach) {
    DropoutTrial run(rates);
    const double loss = run.step({1, 5, 0});
    const auto gradients = run.gradients();
    EXPECT_NE(run.step({1, 6, 0}), loss);
    EXPECT_NE(run.step({2, 5, 0}), loss);
    EXPECT_NE(run.step({1, 5, 3}), loss);
    EXPECT_EQ(run.step({1, 5, 0}), loss);
    const auto again = run.gradients();
    for (size_t i = 0; i < again.size(); ++i) EXPECT_TRUE(at::equal(again[i], gradients[i]));
  }
}

TEST(ModelDropout, RecomputationDrawsTheSameMasks) {
  for (const auto dtype : {at::kFloat, at::kBFloat16})
    for (const Rates& rates : kEach) {
      DropoutTrial plain(rates, false, dtype), recomputing(rates, true, dtype);
      EXPECT_EQ(plain.step({1, 2, 0}), recomputing.step({1, 2, 0}));
      const auto expected = plain.gradients(), given = recomputing.gradients();
      for (size_t i = 0; i < given.size(); ++i) EXPECT_TRUE(at::equal(given[i], expected[i]));
    }
}

// Processed row by row, the losses equal those of all rows at once, up to the rounding of sums.
TEST(ModelDropout, IsTheSameHoweverAnUpdateIsCut) {
  for (const Rates& rates : kEach) {
    DropoutTrial run(rates);
    const double whole = run.step({1, 2, 0});
    double sum = 0;
    for (int64_t row = 0; row < 3; ++row) {
      run.model->set_dropout({1, 2, row});
      const at::Tensor ids = three_rows().narrow(0, row, 1);
      sum += run.model->train_step(ids, ids, kScale).loss;
    }
    EXPECT_NEAR(sum / whole, 1, 1e-6);
  }
}

// The mean loss over many masks is near the loss without dropout.
TEST(ModelDropout, ItsMeanLossIsNearThatWithoutIt) {
  DropoutTrial run({0.02, 0.02, 0.02});
  const double plain = run.model->evaluate(three_rows(), three_rows()).loss;
  double sum = 0;
  for (int64_t update = 0; update < 40; ++update) sum += run.step({1, update, 0});
  EXPECT_NEAR(sum / 40 / plain, 1, 0.02);
}

// Dropped elements of the only row's embeddings have no gradient.
TEST(ModelDropout, DroppedEmbeddingsGetNothing) {
  DropoutTrial run({0.3, 0, 0});
  run.model->set_dropout({1, 2, 0});
  const at::Tensor ids = three_rows().narrow(0, 0, 1);
  run.model->train_step(ids, ids, kScale);
  const at::Tensor positions = (*run.collector)["transformer.wpe.weight"].gradient().narrow(0, 0, 69);
  EXPECT_NEAR(positions.eq(0).to(at::kDouble).mean().item<double>(), 0.3, 0.04);
}

// With fixed masks, a step to either side along each parameter's gradient changes the loss as the gradient
// predicts.
TEST(ModelDropout, GradientsAreThoseOfFiniteDifferences) {
  for (const Rates& rates : kEach) {
    DropoutTrial run(rates);
    const DropoutPlace place{1, 4, 0};
    run.step(place);
    const ParameterList parameters = run.model->parameters();
    const auto gradients = run.gradients();
    for (size_t i = 0; i < parameters.size(); ++i) {
      const at::Tensor gradient = gradients[i] / kScale, value = parameters[i]->value;
      const double square = gradient.square().sum().item<double>();
      // a difference of 0.1 between both losses
      const at::Tensor before = value.clone(), step = gradient * (0.05 / square);
      value.copy_(before + step);
      const double above = run.step(place);
      value.copy_(before - step);
      const double below = run.step(place);
      value.copy_(before);
      // A loss of some 1000 is rounded to 1e-7 of itself, token by token.
      EXPECT_NEAR(above - below, 0.1, 0.003) << parameters[i]->name;
    }
  }
}

}  // namespace
}  // namespace galore
