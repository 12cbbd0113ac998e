#include "optim/quantized_weights.h"

#include "core/errors.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr const char* kQGaLore = "q_galore_adamw_8bit";
constexpr const char* kArgs = "rank=4,weight_group_size=64";

OptimizerOptions options_with(const std::string& optim, const std::string& args = "") {
  OptimizerOptions options;
  options.settings = resolve_optimizer(optim, args);
  return options;
}

TEST(CodedWeights, AreTheTargetedOnesOfThePresetsThatAskForIt) {
  const auto format_of = [](const OptimizerOptions& options, const std::string& name) {
    Parameter matrix;
    matrix.name = name;
    matrix.role = role_by_name(name, 2);
    return weight_format(options, matrix);
  };
  const auto is_coded = [&](const OptimizerOptions& options, const std::string& name) {
    return format_of(options, name).has_value();
  };
  OptimizerOptions options = options_with(kQGaLore, "weight_group_size=128");
  for (const char* name : {kSquare, kTall, kWide}) EXPECT_EQ(format_of(options, name)->group_size, 128);
  for (const char* name : {kEmbedding, "lm_head.weight"}) EXPECT_FALSE(is_coded(options, name));
  options.target_modules = {"up_proj"};
  EXPECT_TRUE(is_coded(options, kTall));
  EXPECT_FALSE(is_coded(options, kWide));
  EXPECT_FALSE(is_coded(options_with(kQGaLore, "weight_bits=16"), kTall));
  EXPECT_FALSE(is_coded(options_with("galore_adamw_8bit"), kTall));
  options.overrides =
      parse_overrides(kQGaLore, "", {}, "pattern=up_proj,optim=adamw;pattern=down_proj,rank=2");
  EXPECT_FALSE(is_coded(options, kTall));
  EXPECT_TRUE(is_coded(options, kWide));
  EXPECT_THROW(format_of(options_with(kQGaLore, "weight_group_size=33"), kTall), UsageError);
}

TEST(CodedWeights, AreAllThatIsKept) {
  TestRun run(kQGaLore, kArgs, all_kinds(at::kBFloat16));
  EXPECT_EQ(run.ledger.bytes(Owner::weights),
            group_code_bytes({8, 64}, 16 * 16) + 2 * group_code_bytes({8, 64}, 24 * 16));
  for (const char* name : {kSquare, kTall, kWide}) EXPECT_FALSE(run.parameter(name).value.defined());
  EXPECT_EQ(run.weight(kEmbedding).scalar_type(), at::kBFloat16);
  run.update(1);
  EXPECT_EQ(run.ledger.bytes(Owner::master_weights), 0);
  OptimizerOptions options;
  options.master_weights = true;
  try {
    TestRun refused(kQGaLore, kArgs, all_kinds(at::kBFloat16), options);
    ADD_FAILURE() << "copies of weights in codes are refused";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("[master_weights]"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("weight_bits=16"), std::string::npos) << error.what();
  }
}

// The codes after an update equal those of fp32 weights that start from the decoded values and take the same
// update: with decay before the update, after it and in the gradient, and with full and projected gradients.
TEST(CodedWeights, TakeTheStepOfWeightsInFp32) {
  for (const DecayOrder order : {DecayOrder::before, DecayOrder::after, DecayOrder::coupled}) {
    for (const std::string gradient : {"full", "projected"}) {
      for (const std::string optim : {"galore_adamw", "adamw", "galore_sgd"}) {
        OptimizerOptions options;
        options.gradient = gradient;
        options.weight_decay = 0.5;
        const std::string args = optim == "adamw" ? "" : "rank=4,update_proj_gap=2,refresh=together";
        options.settings = resolve_optimizer(optim, args);
        options.settings->decay_order = order;
        TestRun plain(options, all_kinds());
        options.settings->quantized_weights = QuantizedWeightOptions{8, 32, false};
        TestRun coded(options, all_kinds());
        for (const char* name : {kSquare, kTall, kWide})
          plain.parameter(name).value.copy_(coded.weight(name));
        for (uint64_t seed = 1; seed <= 2; ++seed) {  // with a refresh and without
          plain.update(seed, 0.1), coded.update(seed, 0.1);
          for (const char* name : {kSquare, kTall, kWide}) {
            Ledger ledger(at::kCPU);
            const GroupQuantized expected =
                zero_group_codes({8, 32}, plain.weight(name).sizes(), Owner::weights, ledger);
            kernels::encode_groups(plain.weight(name), expected, nullptr);
            // Adding a product to a weight and adding it to zeros first round differently, which may move a
            // code by one.
            const at::Tensor apart = (expected.codes.to(at::kInt) - coded.stored(name).to(at::kInt)).abs();
            EXPECT_LE(apart.max().item<int>(), 1) << optim << gradient << static_cast<int>(order);
            EXPECT_LE(apart.sum().item<int>(), 3) << optim << gradient << static_cast<int>(order);
            EXPECT_TRUE(expected.scales.allclose(coded.parameter(name).codes->scales, 1e-4));
            plain.parameter(name).value.copy_(coded.weight(name));
          }
        }
      }
    }
  }
}

// The rounding uses the stream of the seed, the weight's name and the update.
TEST(CodedWeights, AreRoundedAtRandomUnlessAskedNotTo) {
  OptimizerOptions other_seed;
  other_seed.seed = 1;
  for (const bool stochastic : {true, false}) {
    const std::string args = std::string(kArgs) + (stochastic ? "" : ",stochastic_round=false");
    TestRun one(kQGaLore, args + ",subspace=svd", all_kinds()),
        same(kQGaLore, args + ",subspace=svd", all_kinds());
    TestRun other(kQGaLore, args + ",subspace=svd", all_kinds(), other_seed);
    for (TestRun* run : {&one, &same, &other}) run->update(1);
    EXPECT_EQ(one.difference(same), "");
    EXPECT_EQ(same_bits(one.weight(kTall), other.weight(kTall)), !stochastic);
  }
}

}  // namespace
}  // namespace galore
