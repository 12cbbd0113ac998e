#include "mixtures/model_probe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"
#include "core/test_message.h"
#include "models/test_trial.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

// Has one weight theta. The mean loss of a token of source k is |theta - c_k|^2 / 2.
class QuadraticModel : public TrainableModel {
 public:
  explicit QuadraticModel(std::vector<at::Tensor> centres) : centres_(std::move(centres)) {
    theta_.name = "theta";
    theta_.role = Role::norm;
    theta_.value = at::tensor({2.0f, 1.0f, -1.0f});
  }
  const ModelConfig& config() const override { return config_; }
  ParameterList parameters() override { return {&theta_}; }
  void initialize(uint64_t /*seed*/) override {}
  LossSum train_step(const Batch& batch, double scale) override {
    theta_.sink->add((theta_.value - centre(batch)) * (scale * static_cast<double>(batch.targets.count)));
    theta_.sink->use_done();
    return evaluate(batch, nullptr);
  }
  LossSum evaluate(const Batch& batch, Predictions* /*out*/) override {
    const double loss = (theta_.value - centre(batch)).to(at::kDouble).square().sum().item<double>() / 2;
    return {loss * static_cast<double>(batch.targets.count), batch.targets.count};
  }
  const at::Tensor& centre(const Batch& batch) const {
    return centres_[static_cast<size_t>(batch.source[0].item<int32_t>())];
  }

 private:
  ModelConfig config_;
  Parameter theta_;
  std::vector<at::Tensor> centres_;
};

// Gives random rows; a source has its own seed, and the last source is the target.
class TestRows : public ProbeRows {
 public:
  explicit TestRows(size_t num_sources, int64_t vocabulary = 101)
      : num_sources_(num_sources), vocabulary_(vocabulary) {}
  size_t num_sources() const override { return num_sources_; }
  Batch of_source(size_t source, int64_t /*step*/) override {
    RandomStream random(source, "test rows");
    const at::Tensor ids = at::empty({3, 12}, at::kLong);
    // A source takes its tokens from a part of the vocabulary, so that gradients differ.
    for (int64_t i = 0; i < ids.numel(); ++i)
      ids.view(-1)[i] = static_cast<int64_t>(random.below(static_cast<uint64_t>(vocabulary_) / 4)) +
                        static_cast<int64_t>(source) * 7 % (vocabulary_ / 2);
    Batch batch = next_token_batch(ids, ids);
    batch.source = at::full({3}, static_cast<int64_t>(source), at::kInt);
    return batch;
  }
  Batch of_target(int64_t step) override { return of_source(num_sources_ - 1, step); }

 private:
  size_t num_sources_;
  int64_t vocabulary_;
};

TEST(ModelProbe, BothFormsOnAQuadraticHaveTheClosedForm) {
  const std::vector<at::Tensor> centres{at::tensor({0.0f, 0.0f, 0.0f}), at::tensor({4.0f, 0.0f, 1.0f}),
                                        at::tensor({0.0f, -3.0f, 2.0f})};
  const at::Tensor theta = at::tensor({2.0f, 1.0f, -1.0f});
  for (const std::string form : {"products", "directional"}) {
    QuadraticModel model(centres);
    Ledger ledger(at::kCPU);
    Workspace workspace(ledger);
    ModelProbe probe(model, std::make_unique<TestRows>(3), parse_learning("gar", "form=" + form), {},
                     workspace);
    const Alignment alignment = probe.alignment(1);
    for (size_t k = 0; k < 3; ++k) {
      const double expected = at::dot(theta - centres[k], theta - centres[2]).item<double>();
      EXPECT_NEAR(alignment.rewards[k], expected, 1e-3 * std::abs(expected)) << form << " " << k;
    }
    EXPECT_TRUE(at::equal(model.parameters()[0]->value, theta)) << form;
  }
}

// A small LLaMA (or another model) with an optimizer after a few updates.
struct TrainedModel {
  explicit TrainedModel(const std::string& preset, const std::string& args, bool bf16 = false,
                        const std::string& type = "llama") {
    at::set_num_threads(1);
    ModelOptions options;
    if (bf16) options.weights_dtype = options.compute_dtype = at::kBFloat16;
    model = make_causal_lm(testing_models::small_config(type), options, ledger);
    model->initialize(1);
    OptimizerOptions choice;
    choice.settings = resolve_optimizer(preset, args);
    optimizer = std::make_unique<Optimizer>(model->parameters(), choice, workspace);
    for (int i = 0; i < 3; ++i) update();
  }
  void update() {
    optimizer->begin_update(1e-3, 1);
    model->train_step(TestRows(3).of_source(0, 0), 1.0 / 33);
    optimizer->finish_update();
  }
  SubspaceOf subspaces() {
    return [this](const Parameter& parameter) { return optimizer->subspace_of(parameter); };
  }
  GradientProbe gradients(std::vector<InnerProduct> kinds) {
    return {*model, std::move(kinds), subspaces(), workspace};
  }
  std::unique_ptr<ModelProbe> probe(const std::string& method, const std::string& args) {
    return std::make_unique<ModelProbe>(*model, std::make_unique<TestRows>(3), parse_learning(method, args),
                                        subspaces(), workspace);
  }
  std::vector<at::Tensor> weights() {
    std::vector<at::Tensor> copies;
    for (const Parameter* parameter : model->parameters()) copies.push_back(parameter->value.clone());
    return copies;
  }

  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
  std::unique_ptr<CausalLM> model;
  std::unique_ptr<Optimizer> optimizer;
};

double largest(const std::vector<double>& numbers) {
  double most = 0;
  for (const double number : numbers) most = std::max(most, std::abs(number));
  return most;
}

TEST(GradientProbe, ProductsOfLayersEqualProductsOfGradients) {
  for (const std::string type : {"llama", "qwen3", "gpt2", "qwen3_moe"}) {
    TrainedModel trained("adamw_torch", "", false, type);
    GradientProbe probe = trained.gradients({InnerProduct::exact});
    TestRows rows(3);
    probe.collect(rows.of_source(0, 0), "a");
    probe.collect(rows.of_source(1, 0), "b");
    const double formed = probe.dot("a", "b"), norms = std::sqrt(probe.dot("a", "a") * probe.dot("b", "b"));
    EXPECT_NEAR(probe.rate(rows.of_source(1, 0), "a")[0], formed, 1e-5 * norms) << type;
    EXPECT_GT(std::abs(formed), 1e-3 * norms) << type;
  }
}

TEST(GradientProbe, ProjectedProductsAreThoseOfProjectedGradients) {
  for (const std::string side : {"left", "right", "std", "full"}) {
    TrainedModel trained("galore_adamw", "rank=6,update_proj_gap=100,proj_type=" + side);
    GradientProbe probe = trained.gradients({InnerProduct::exact, InnerProduct::projected});
    TestRows rows(3);
    probe.collect(rows.of_source(0, 0), "a");
    const auto products = probe.rate(rows.of_source(1, 0), "a");
    probe.collect(rows.of_source(1, 0), "b");
    double expected = 0;
    int projected = 0;
    for (const Parameter* parameter : probe.parameters()) {
      at::Tensor a = probe.part("a", *parameter), b = probe.part("b", *parameter);
      if (Subspace* subspace = trained.optimizer->subspace_of(*parameter)) {
        a = subspace->project(a).clone();
        b = subspace->project(b);
        ++projected;
      }
      expected += (a * b).sum().item<double>();
    }
    EXPECT_EQ(projected, 21) << side;
    EXPECT_NEAR(products[1], expected, 1e-4 * std::abs(expected)) << side;
    EXPECT_NEAR(products[0], probe.dot("a", "b"), 1e-4 * std::abs(products[0])) << side;
    EXPECT_GT(std::abs(products[0] - products[1]), 1e-3 * std::abs(products[0])) << side;
  }
}

TEST(GradientProbe, AtFullRankNothingIsLost) {
  TrainedModel trained("galore_adamw", "rank=1000");
  GradientProbe probe = trained.gradients({InnerProduct::exact, InnerProduct::projected});
  probe.collect(TestRows(3).of_source(0, 0), "a");
  const auto products = probe.rate(TestRows(3).of_source(1, 0), "a");
  EXPECT_NEAR(products[1], products[0], 1e-4 * std::abs(products[0]));
}

TEST(ModelProbe, BothFormsAgreeOnATransformer) {
  TrainedModel trained("adamw_torch", "");
  const auto products = trained.probe("gar", "")->alignment(1).rewards;
  const auto before = trained.weights();
  const auto differences = trained.probe("gar", "form=directional")->alignment(1).rewards;
  for (size_t k = 0; k < products.size(); ++k)
    EXPECT_NEAR(differences[k], products[k], 1e-3 * largest(products)) << k;
  const auto after = trained.weights();
  for (size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(at::equal(after[i], before[i])) << i;
}

TEST(ModelProbe, AMeasurementLeavesTheTrainingAsItWas) {
  for (const std::string method : {"gar", "doge", "aioli"}) {
    TrainedModel measured("galore_adamw", "rank=6"), plain("galore_adamw", "rank=6");
    measured.probe(method, "")->alignment(1);
    plan_measurement(*measured.probe(method, ""), parse_learning(method, ""));
    measured.update();
    plain.update();
    const auto a = measured.weights(), b = plain.weights();
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i])) << method << " " << i;
  }
}

TEST(ModelProbe, TheGramMatrixHoldsAllProducts) {
  TrainedModel trained("galore_adamw", "rank=6");
  for (const std::string inner : {"exact", "projected"}) {
    const auto gram = trained.probe("doge", "target=uniform,inner=" + inner)->gram(1);
    const auto rewards = trained.probe("gar", "inner=" + inner)->alignment(1).rewards;
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(gram.products[k][0], gram.products[0][k]);
      EXPECT_NEAR(gram.with_target[k], rewards[k], 1e-4 * largest(rewards)) << inner;
    }
    EXPECT_NEAR(gram.target_norm * gram.target_norm, gram.products[2][2], 1e-4 * gram.products[2][2]);
  }
}

TEST(ModelProbe, WeightsInBf16AreRatedByProductsAlone) {
  TrainedModel narrow("galore_adamw", "rank=6", /*bf16=*/true);
  const auto both = narrow.probe("gar", "inner=both")->alignment(1);
  EXPECT_GT(both.rewards[2], 0);  // the target is source 2
  EXPECT_GT(both.projected[2], 0);
  EXPECT_TRUE(contains(message_of([&] { narrow.probe("gar", "form=directional"); }), "is not kept in fp32"));
}

}  // namespace
}  // namespace galore
