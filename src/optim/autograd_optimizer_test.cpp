#include "optim/autograd_optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/test_message.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr const char* kEncoder = "encoder.weight";
constexpr const char* kDecoder = "decoder.weight";
constexpr const char* kBias = "decoder.bias";

// Two layers, and the loss of 8 rows against a target.
struct Network {
  NamedTensors weights{
      {kEncoder, random({12, 10}, 1)}, {kDecoder, random({6, 12}, 2)}, {kBias, random({6}, 3)}};
  at::Tensor input = random({8, 10}, 4), target = random({8, 6}, 5);

  Network() {
    for (auto& [name, tensor] : weights) tensor.set_requires_grad(true);
  }
  at::Tensor loss(int64_t first = 0, int64_t rows = 8) const {
    const at::Tensor hidden = at::tanh(input.narrow(0, first, rows).matmul(weights[0].second.t()));
    const at::Tensor output = hidden.matmul(weights[1].second.t()) + weights[2].second;
    return (output - target.narrow(0, first, rows)).pow(2).sum();
  }
  std::vector<at::Tensor> gradients() const {
    loss().backward();
    std::vector<at::Tensor> all;
    for (const auto& [name, tensor] : weights)
      all.push_back(std::exchange(tensor.mutable_grad(), at::Tensor()));
    return all;
  }
  NamedTensors values() const {
    NamedTensors all;
    for (const auto& [name, tensor] : weights) all.emplace_back(name, tensor.detach().clone());
    return all;
  }
};

OptimizerOptions options_of(const std::string& optim, const std::string& optim_args = "") {
  OptimizerOptions options;
  options.settings = resolve_optimizer(optim, optim_args);
  options.target_modules = {"encoder", "decoder"};
  return options;
}

// Compares weights and state with those of a run in which the sinks are given the same gradients one by one.
std::string difference_by_hand(const OptimizerOptions& options) {
  Network by_autograd, by_hand;
  TestRun reference(options, by_hand.values());
  AutogradOptimizer optimizer(by_autograd.weights, options);
  for (int update = 0; update < 3; ++update) {
    const c10::NoGradGuard no_grad;
    for (auto& [name, tensor] : by_hand.weights) tensor.copy_(reference.weight(name));
    {
      const c10::AutoGradMode with_gradients(true);
      reference.update({by_hand.gradients()});
      optimizer.begin_update(0.01);
      by_autograd.loss().backward();
    }
    optimizer.finish_update();
    for (const auto& [name, tensor] : by_autograd.weights)
      if (!same_bits(tensor.detach(), reference.weight(name))) return name;
  }
  return StateCopy(optimizer.optimizer()).difference(StateCopy(*reference.optimizer));
}

TEST(AutogradOptimizer, EveryPresetDoesWhatItDoesByHand) {
  for (const Preset& preset : presets()) {
    for (const char* suffix : {"", "_layerwise"}) {
      const OptimizerSettings settings = preset.settings();
      std::string arguments = option_text(settings, "rank").empty() ? "" : "rank=4";
      if (!option_text(settings, "weight_bits").empty()) arguments += ",weight_bits=16";
      const OptimizerOptions options = options_of(preset.name + suffix, arguments);
      EXPECT_EQ(difference_by_hand(options), "") << preset.name << suffix;
    }
  }
}

TEST(AutogradOptimizer, MicroBatchesAddUp) {
  const Network whole, halves;
  const OptimizerOptions options = options_of("galore_adamw", "rank=4");
  AutogradOptimizer one(whole.weights, options), two(halves.weights, options);
  one.begin_update(0.01);
  whole.loss().backward();
  const UpdateReport report = one.finish_update();
  two.begin_update(0.01, 2);
  halves.loss(0, 4).backward();
  halves.loss(4, 4).backward();
  // The sums in fp32 have another order.
  EXPECT_NEAR(two.finish_update().gradient_norm, report.gradient_norm, 1e-5 * report.gradient_norm);
  EXPECT_LT(relative_difference(halves.weights[0].second.detach(), whole.weights[0].second.detach()), 1e-5);
}

TEST(AutogradOptimizer, GradientsAreGivenUpAndLayerwiseWeightsWrittenInThePass) {
  for (const char* optim : {"galore_adamw", "galore_adamw_layerwise"}) {
    const Network network;
    const at::Tensor before = network.values()[0].second;
    AutogradOptimizer optimizer(network.weights, options_of(optim, "rank=4"));
    optimizer.begin_update(0.01);
    network.loss().backward();
    for (const auto& [name, tensor] : network.weights) EXPECT_FALSE(tensor.grad().defined()) << name;
    EXPECT_EQ(at::equal(network.weights[0].second, before), optim == std::string("galore_adamw")) << optim;
    optimizer.finish_update();
    EXPECT_FALSE(at::equal(network.weights[0].second, before)) << optim;
  }
}

TEST(AutogradOptimizer, ATensorThatNoPassReachesStaysAsItIs) {
  for (const char* optim : {"adamw", "galore_adamw_layerwise"}) {
    const Network network;
    OptimizerOptions options = options_of(optim);
    options.weight_decay = 0.5;
    AutogradOptimizer optimizer(network.weights, options);
    const NamedTensors before = network.values();
    optimizer.begin_update(0.1);
    network.weights[1].second.pow(2).sum().backward();
    optimizer.finish_update();
    EXPECT_TRUE(same_bits(network.weights[0].second.detach(), before[0].second));
    EXPECT_FALSE(at::equal(network.weights[1].second, before[1].second));
    const auto steps = StateCopy(optimizer.optimizer()).values;
    EXPECT_EQ(steps.at(std::string(kEncoder) + ".step").item<int64_t>(), 0);
    EXPECT_EQ(steps.at(std::string(kDecoder) + ".step").item<int64_t>(), 1);
  }
}

// libtorch has one such hook for each tensor: ours would replace the other, or be replaced.
TEST(AutogradOptimizer, RefusesATensorWithAHook) {
  const Network network;
  const AutogradOptimizer first(network.weights, options_of("adamw"));
  EXPECT_EQ(message_of([&] { const AutogradOptimizer second(network.weights, options_of("adamw")); }),
            "[optimizer] encoder.weight: expected a tensor without a hook after its gradient, given one with "
            "a hook");
}

// Names decide only when no roles are given.
TEST(AutogradOptimizer, TakesRolesFromItsCaller) {
  const auto leaf = [] { return random({8, 8}, 1).set_requires_grad(true); };
  OptimizerOptions options;
  options.settings = resolve_optimizer("galore_adamw", "rank=4");
  const AutogradOptimizer by_name({{"a", leaf()}, {"mlp.0", leaf()}}, options);
  EXPECT_EQ(by_name.optimizer().grouping().projected, (std::vector<bool>{false, true}));
  const AutogradOptimizer by_role({{"a", leaf()}, {"mlp.0", leaf()}}, options,
                                  {{"a", {}}, {"mlp.0", {.role = Role::head}}});
  EXPECT_EQ(by_role.optimizer().grouping().projected, (std::vector<bool>{true, false}));
}

TEST(AutogradOptimizer, ItLetsGoOfTheTensors) {
  const Network network;
  { const AutogradOptimizer optimizer(network.weights, options_of("adamw")); }
  for (const at::Tensor& gradient : network.gradients()) EXPECT_TRUE(gradient.defined());
}

TEST(AutogradOptimizer, RefusesTensorsThatItCannotTrain) {
  const auto refused = [](const at::Tensor& tensor) {
    return message_of([&] { const AutogradOptimizer optimizer({{"w", tensor}}, options_of("adamw")); });
  };
  const auto leaf = [](const at::Tensor& tensor) { return tensor.clone().set_requires_grad(true); };
  const std::string begin = "[optimizer] w: expected ";
  EXPECT_EQ(refused(random({4, 4}, 1)),
            begin + "a leaf that requires a gradient, given one that requires none");
  EXPECT_EQ(refused(leaf(random({4, 4}, 1)) * 2),
            begin + "a leaf that requires a gradient, given a result of other tensors");
  EXPECT_EQ(refused(leaf(random({4, 4}, 1).to(at::kDouble))),
            begin + "float32, bfloat16 or float16, given Double");
  EXPECT_EQ(refused({}), begin + "a tensor, given an undefined one");
  EXPECT_NE(message_of([] { const AutogradOptimizer optimizer({}, {}); }), "");
  const std::string coded = message_of([] {
    const Network network;
    const AutogradOptimizer optimizer(network.weights, options_of("q_galore_adamw_8bit"));
  });
  EXPECT_EQ(coded, "[weight_bits] expected 16 in optim_args: autograd cannot read encoder.weight from codes");
}

TEST(AutogradOptimizer, RefusesPassesOutsideOfAnUpdate) {
  const Network network;
  AutogradOptimizer optimizer(network.weights, options_of("adamw"));
  const auto pass = [&] { network.loss().backward(); };
  EXPECT_NE(message_of(pass).find("expected begin_update()"), std::string::npos);
  optimizer.begin_update(0.01);
  pass();
  EXPECT_NE(message_of(pass).find("no more backward passes than its micro_batches"), std::string::npos);
  optimizer.begin_update(0.01);
  pass();
  EXPECT_EQ(optimizer.finish_update().num_skipped, 0) << "what a refused pass left is gone";
}

}  // namespace
}  // namespace galore
