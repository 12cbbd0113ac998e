#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "kernels/group_quantize.h"
#include "models/architecture.h"
#include "models/gradient_collector.h"
#include "models/test_trial.h"

namespace galore {
namespace {
using namespace testing_models;

WeightQuantization mlp_in_codes() {
  return [](const Parameter& matrix) -> std::optional<GroupFormat> {
    if (matrix.name.find("mlp") == std::string::npos) return std::nullopt;
    return GroupFormat{8, 64};
  };
}

std::vector<ModelOptions> all_options() {
  std::vector<ModelOptions> all;
  for (const bool checkpointing : {false, true}) {
    all.push_back({at::kFloat, at::kFloat, checkpointing});
    all.push_back({at::kBFloat16, at::kFloat, checkpointing});
    all.push_back({at::kBFloat16, at::kBFloat16, checkpointing});
    all.push_back({at::kFloat, at::kFloat, checkpointing, mlp_in_codes()});
    all.push_back({at::kBFloat16, at::kBFloat16, checkpointing, mlp_in_codes()});
  }
  return all;
}

class Architectures : public testing::TestWithParam<std::string> {
 protected:
  ModelConfig config() const { return small_config(GetParam()); }
  // Returns the name of a matrix in the middle of the model.
  std::string matrix() const {
    if (GetParam() == "gpt2") return "transformer.h.1.mlp.c_fc.weight";
    if (GetParam() == "gpt_neox") return "gpt_neox.layers.1.mlp.dense_h_to_4h.weight";
    return "model.layers.1.mlp." + std::string(GetParam() == "phi3" ? "gate_up_proj" : "up_proj") + ".weight";
  }
};

TEST_P(Architectures, CheckpointingChangesNoBit) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    Trial plain({dtype, dtype, false}, at::kCPU, config());
    Trial recomputing({dtype, dtype, true}, at::kCPU, config());
    EXPECT_EQ(plain.step().loss, recomputing.step().loss);
    for (const Parameter* parameter : plain.model->parameters()) {
      EXPECT_TRUE(at::equal((*plain.collector)[parameter->name].gradient(),
                            (*recomputing.collector)[parameter->name].gradient()))
          << parameter->name;
    }
    EXPECT_LT(recomputing.ledger.bytes(Owner::activations), plain.ledger.bytes(Owner::activations) / 2);
  }
}

TEST_P(Architectures, CountingRunHasTheBytesOfARealOne) {
  for (const ModelOptions& options : all_options()) {
    Trial real(options, at::kCPU, config()), counted(options, at::kMeta, config());
    const LossSum loss = counted.step();
    EXPECT_EQ(loss.loss, 0);
    real.step();
    for (int owner = 0; owner < kNumOwners; ++owner) {
      const auto which = static_cast<Owner>(owner);
      EXPECT_EQ(real.ledger.bytes(which), counted.ledger.bytes(which)) << owner_name(which);
    }
    EXPECT_GT(counted.ledger.bytes(Owner::activations), 0);
  }
}

TEST_P(Architectures, SteadyStepsAllocateNothingAndRepeatTheirNumbers) {
  for (const ModelOptions& options : all_options()) {
    Trial run(options, at::kCPU, config());
    const LossSum first = run.step();
    const int64_t bytes = run.ledger.total();
    const at::Tensor gradient = (*run.collector)[matrix()].gradient().clone();
    const LossSum second = run.step();
    EXPECT_EQ(run.ledger.total(), bytes);
    EXPECT_EQ(first.loss, second.loss);
    EXPECT_TRUE(at::equal(gradient, (*run.collector)[matrix()].gradient()));
  }
}

TEST_P(Architectures, LossOfTrainingAndEvaluationAgree) {
  for (const ModelOptions& options : all_options()) {
    Trial run(options, at::kCPU, config());
    const LossSum trained = run.step(), evaluated = run.model->evaluate(some_ids(), some_labels());
    EXPECT_EQ(trained.loss, evaluated.loss);
    EXPECT_EQ(trained.num_tokens, evaluated.num_tokens);
    EXPECT_EQ(trained.num_tokens, 2 * (70 - 1 - 9));
  }
}

// The numbers equal those of a model with the decoded weights, to the last bit.
TEST_P(Architectures, WeightsInCodesAreTheNumbersTheyStandFor) {
  for (const bool bias : {false, true}) {
    ModelConfig config = this->config();
    config.mlp_bias = bias;
    Trial coded({at::kFloat, at::kFloat, false, mlp_in_codes()}, at::kCPU, config);
    Trial plain({}, at::kCPU, config);
    int64_t num_coded = 0, bytes = 0;
    const ParameterList from = coded.model->parameters(), to = plain.model->parameters();
    for (size_t i = 0; i < from.size(); ++i) {
      EXPECT_EQ(from[i]->sizes(), to[i]->value.sizes());
      EXPECT_EQ(from[i]->codes.has_value(), !from[i]->value.defined());
      if (!from[i]->codes) continue;
      ++num_coded;
      bytes += 4 * from[i]->numel() - group_code_bytes({8, 64}, from[i]->numel());
      const at::Tensor drawn = to[i]->value.clone();
      kernels::decode_groups(*from[i]->codes, to[i]->value);
      // 64 numbers of deviation 0.1 have a range of at most 0.8, in 255 steps.
      EXPECT_LT((drawn - to[i]->value).abs().max().item<float>(), 0.8f / 255);
    }
    const bool two_matrices = GetParam() == "gpt2" || GetParam() == "phi3" || GetParam() == "gpt_neox";
    // Two of qwen3_moe's three layers have a router and five experts of three matrices.
    EXPECT_EQ(num_coded, GetParam() == "qwen3_moe" ? 2 * 16 + 3 : two_matrices ? 6 : 9);
    EXPECT_EQ(plain.ledger.bytes(Owner::weights) - coded.ledger.bytes(Owner::weights), bytes);
    EXPECT_EQ(coded.step().loss, plain.step().loss);
    for (const Parameter* parameter : from)
      EXPECT_TRUE((*coded.collector)[parameter->name].gradient().equal(
          (*plain.collector)[parameter->name].gradient()))
          << parameter->name;
  }
}

// The tolerance is two roundings of 2^-9 per operation, for some hundred operations, with independent signs.
TEST_P(Architectures, Bfloat16IsNearFp32) {
  ModelConfig config = this->config();
  config.num_experts_per_tok = config.num_experts;  // so that roundings change no choice of experts
  Trial wide({at::kBFloat16, at::kFloat, false}, at::kCPU, config);
  Trial narrow({at::kBFloat16, at::kBFloat16, false}, at::kCPU, config);
  EXPECT_NEAR(narrow.step().mean() / wide.step().mean(), 1, 5e-3);
  for (const Parameter* parameter : wide.model->parameters()) {
    const at::Tensor a = (*wide.collector)[parameter->name].gradient();
    const at::Tensor b = (*narrow.collector)[parameter->name].gradient().to(at::kFloat);
    EXPECT_LT(((a - b).norm() / a.norm()).item<float>(), 0.04) << parameter->name;
  }
}

TEST_P(Architectures, WithoutSinksNothingIsReported) {
  Trial run({}, at::kCPU, config());
  const double loss = run.step().loss;
  run.collector.reset();
  EXPECT_EQ(run.model->train_step(some_ids(), some_labels(), 0.01).loss, loss);
}

// Changes the weight as soon as its last use has reported, as a layer-wise driver may do.
class SpoilingSink : public GradientSink {
 public:
  SpoilingSink(Parameter& parameter, GradientSink& inner) : parameter_(parameter), inner_(inner) {}
  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    inner_.add_product(output_gradient, input);
  }
  void add_rows(const at::Tensor& indices, const at::Tensor& gradient) override {
    inner_.add_rows(indices, gradient);
  }
  void add(const at::Tensor& gradient) override { inner_.add(gradient); }
  void use_done() override {
    inner_.use_done();
    if (++uses_ == parameter_.uses)
      (parameter_.codes ? parameter_.codes->scales : parameter_.value).fill_(NAN);
  }

 private:
  Parameter& parameter_;
  GradientSink& inner_;
  int uses_ = 0;
};

TEST_P(Architectures, AWeightMayChangeAsSoonAsItsLastUseHasReported) {
  for (const ModelOptions& options : all_options()) {
    ModelConfig config = this->config();
    config.attention_bias = config.mlp_bias = true;
    config.tie_word_embeddings = options.gradient_checkpointing;
    Trial expected(options, at::kCPU, config), spoilt(options, at::kCPU, config);
    std::vector<std::unique_ptr<SpoilingSink>> sinks;
    for (Parameter* parameter : spoilt.model->parameters()) {
      sinks.push_back(std::make_unique<SpoilingSink>(*parameter, *parameter->sink));
      parameter->sink = sinks.back().get();
    }
    EXPECT_EQ(expected.step().loss, spoilt.step().loss);
    for (const Parameter* parameter : expected.model->parameters()) {
      EXPECT_TRUE(at::equal((*expected.collector)[parameter->name].gradient(),
                            (*spoilt.collector)[parameter->name].gradient()))
          << parameter->name;
      EXPECT_GT((*expected.collector)[parameter->name].gradient().abs().sum().item<float>(), 0);
    }
    for (const Parameter* parameter : spoilt.model->parameters()) {
      const at::Tensor& spoilt_value = parameter->codes ? parameter->codes->scales : parameter->value;
      EXPECT_TRUE(spoilt_value.isnan().all().item<bool>()) << parameter->name;
    }
  }
}

TEST_P(Architectures, TheCacheIsAccountedFor) {
  Trial trial({}, at::kCPU, config());
  const int64_t before = trial.ledger.bytes(Owner::activations);
  auto cache = trial.model->new_cache(10);
  EXPECT_EQ(trial.ledger.bytes(Owner::activations),
            before + 3 * 2 * 10 * config().num_key_value_heads * 12 * 4);
  cache.reset();
  EXPECT_EQ(trial.ledger.bytes(Owner::activations), before);
  EXPECT_THROW(trial.model->new_cache(0), Error);
}

// Windows have 20 positions and the row three times as many tokens. Pieces are longer than a window, one
// token long, and in between.
TEST_P(Architectures, CachedLogitsAreThoseOfTheWholeRow) {
  Trial trial({}, at::kCPU, config());
  const at::Tensor ids = some_ids()[0], whole = trial.model->logits(ids.unsqueeze(0))[0];
  for (const auto& pieces : std::vector<std::vector<int64_t>>{
           {33, 1, 1, 1, 1, 1, 19, 1, 12}, {1, 5, 18, 1, 1, 44}, std::vector<int64_t>(70, 1)}) {
    const auto cache = trial.model->new_cache(70);
    for (const int64_t piece : pieces) {
      const at::Tensor logits =
          trial.model->next_logits(ids.narrow(0, cache->length(), piece), *cache).clone();
      EXPECT_TRUE(at::allclose(logits, whole[cache->length() - 1], 1e-4, 1e-5)) << cache->length();
    }
    EXPECT_EQ(cache->length(), 70);
  }
}

TEST(Transformer, WindowedLayersKeepTheirWindow) {
  ModelConfig config = small_config("qwen2");  // one of three layers sees all positions
  Trial trial({}, at::kCPU, config);
  const int64_t before = trial.ledger.bytes(Owner::activations), row = 2 * 2 * 12 * 4;
  const auto cache = trial.model->new_cache(1000);
  EXPECT_EQ(trial.ledger.bytes(Owner::activations) - before, row * (1000 + 2 * (19 + 2)));
}

TEST_P(Architectures, BadTokensAndLabelsAreErrors) {
  Trial run({}, at::kCPU, config());
  at::Tensor ids = some_ids().clone();
  ids[1][3] = 101;
  EXPECT_THROW(run.model->evaluate(ids, some_labels()), Error);
  at::Tensor labels = some_labels();
  labels[0][2] = -1;
  EXPECT_THROW(run.model->evaluate(some_ids(), labels), Error);
  EXPECT_THROW(run.model->evaluate(some_ids(), labels.narrow(1, 0, 3)), Error);
  const auto cache = run.model->new_cache(4);
  EXPECT_THROW(run.model->next_logits(some_ids()[0], *cache), Error);
}

INSTANTIATE_TEST_SUITE_P(All, Architectures, testing::ValuesIn(decoder_names()),
                         [](const auto& info) { return info.param; });

TEST(Transformer, LearnedPositionsEnd) {
  ModelConfig config = small_config("gpt2");
  config.max_position_embeddings = 40;
  Trial run({}, at::kCPU, config);
  EXPECT_THROW(run.step(), Error);
  EXPECT_THROW(run.model->new_cache(41), Error);
}

TEST(Transformer, UnknownModelTypesAndImpossibleShapesAreErrors) {
  Ledger ledger(at::kMeta);
  ModelConfig config = small_config();
  config.model_type = "bert";
  EXPECT_THROW(make_causal_lm(config, {}, ledger), Error);
  config = small_config();
  config.num_key_value_heads = 3;
  EXPECT_THROW(make_causal_lm(config, {}, ledger), Error);
  config = small_config();
  config.rope_scaling.type = "longrope";
  EXPECT_THROW(make_causal_lm(config, {}, ledger), Error);
}

}  // namespace
}  // namespace galore
