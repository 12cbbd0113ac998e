#include "optim/torch_optimizer.h"

#include <ATen/ATen.h>

#include "core/test_message.h"
#include "optim/grouped_options.h"
#include "optim/named_state.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

std::vector<TorchOptimizer::Entry> leaves(at::ScalarType dtype = at::kFloat) {
  std::vector<TorchOptimizer::Entry> entries;
  for (const auto& [name, tensor] : all_kinds(dtype))
    entries.push_back({.name = name,
                       .tensor = tensor.clone().set_requires_grad(true),
                       .role = role_by_name(name, tensor.dim()),
                       .layer = layer_by_name(name)});
  return entries;
}

OptimizerOptions small_galore(bool layerwise) {
  OptimizerOptions options;
  options.settings = resolve_optimizer("galore_adamw", "rank=4,update_proj_gap=2");
  options.layerwise = layerwise;
  return options;
}

void set_gradients(const std::vector<TorchOptimizer::Entry>& entries, uint64_t seed) {
  for (const auto& entry : entries)
    entry.tensor.mutable_grad() = decaying(entry.tensor.sizes(), seed++).to(entry.tensor.scalar_type());
}

TEST(TorchOptimizer, BothDriversMakeTheSameStep) {
  const auto one = leaves(), two = leaves();
  TorchOptimizer whole(one, small_galore(false)), layerwise(two, small_galore(true));
  for (uint64_t update = 0; update < 4; ++update) {
    set_gradients(one, 10 * update);
    set_gradients(two, 10 * update);
    whole.step(0.01);
    layerwise.step(0.01);
  }
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_TRUE(same_bits(one[i].tensor.detach(), two[i].tensor.detach()));
  EXPECT_EQ(StateCopy(whole.optimizer()).difference(StateCopy(layerwise.optimizer())), "");
  EXPECT_LT(layerwise.ledger().bytes(Owner::gradients), whole.ledger().bytes(Owner::gradients));
}

// The engine may read gradients where they lie, but methods overwrite them, and so does clipping.
TEST(TorchOptimizer, LeavesGradientsAsTheyAre) {
  for (const Preset& preset : presets())
    for (const double largest_norm : {0.0, 1e-3}) {
      const auto entries = leaves();
      OptimizerOptions options;
      const bool in_codes = !option_text(preset.settings(), "weight_bits").empty();
      options.settings = resolve_optimizer(preset.name, in_codes ? "weight_bits=16" : "");
      options.layerwise = true;
      options.max_grad_norm = largest_norm;
      options.layerwise_clipping = "per_tensor";
      TorchOptimizer optimizer(entries, options);
      for (uint64_t update = 0; update < 2; ++update) {
        set_gradients(entries, 10 * update);
        std::vector<at::Tensor> copies;
        for (const auto& entry : entries) copies.push_back(entry.tensor.grad().clone());
        optimizer.step(0.01);
        for (size_t i = 0; i < entries.size(); ++i)
          EXPECT_TRUE(same_bits(entries[i].tensor.grad(), copies[i])) << preset.name << entries[i].name;
      }
    }
}

TEST(TorchOptimizer, NeedsABufferOnlyForGradientsThatChange) {
  const auto bytes = [](const char* optim, double largest_norm, at::ScalarType dtype) {
    const auto entries = leaves(dtype);
    OptimizerOptions options;
    options.settings = resolve_optimizer(optim, "");
    options.layerwise = true;
    options.max_grad_norm = largest_norm;
    options.layerwise_clipping = "per_tensor";
    TorchOptimizer optimizer(entries, options);
    set_gradients(entries, 1);
    optimizer.step(0.01);
    return optimizer.ledger().bytes(Owner::gradients);
  };
  EXPECT_EQ(bytes("adamw_torch", 0, at::kFloat), 0);
  EXPECT_GT(bytes("adamw_torch", 0, at::kBFloat16), 0) << "it is converted to fp32";
  EXPECT_GT(bytes("adamw_torch", 1e-3, at::kFloat), 0) << "it is clipped";
  EXPECT_GT(bytes("adafactor", 0, at::kFloat), 0) << "the rule overwrites it";
}

// Two engines exchange their sums, which are projected between refreshes, as two processes do.
TEST(TorchOptimizer, ProcessesMakeOneUpdateFromTheMean) {
  const auto one = leaves(), two = leaves(), together = leaves();
  TorchOptimizer first(one, small_galore(true)), second(two, small_galore(true)),
      alone(together, small_galore(true));
  int64_t exchanged = 0, whole = 0;
  for (uint64_t update = 0; update < 4; ++update) {
    for (TorchOptimizer* optimizer : {&first, &second}) optimizer->begin(0.01, 2);
    alone.begin(0.01);
    for (size_t i = 0; i < one.size(); ++i) {
      const auto gradient = [&](uint64_t number) {
        return decaying(one[i].tensor.sizes(), 100 * update + number);
      };
      EXPECT_FALSE(first.take_sum(i, gradient(1)).defined());
      EXPECT_FALSE(second.take_sum(i, gradient(2)).defined());
      at::Tensor sum1 = first.take_sum(i, gradient(3)), sum2 = second.take_sum(i, gradient(4));
      sum1.add_(sum2).div_(2);
      sum2.copy_(sum1);
      exchanged += sum1.numel();
      whole += one[i].tensor.numel();
      first.use(i);
      second.use(i);
      alone.take(i, (gradient(1) + gradient(2) + gradient(3) + gradient(4)) / 2);
    }
    for (TorchOptimizer* optimizer : {&first, &second, &alone}) optimizer->finish();
  }
  EXPECT_LT(exchanged, whole);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(same_bits(one[i].tensor.detach(), two[i].tensor.detach()));
    // Sums in another order differ by some roundings of fp32.
    EXPECT_LE(relative_difference(one[i].tensor.detach(), together[i].tensor.detach()), 1e-5);
  }
}

// Also where the number of micro-batches of an update is known only at its end.
TEST(TorchOptimizer, MicroBatchesOfUnknownNumberAreThoseOfAKnownOne) {
  const auto one = leaves(), two = leaves();
  TorchOptimizer known(one, small_galore(true)), unknown(two, small_galore(true));
  for (const int64_t count : {3, 2, 4}) {
    known.begin(0.01, count);
    unknown.begin(0.01, Optimizer::kUnknownMicroBatches);
    for (int64_t micro_batch = 0; micro_batch < count; ++micro_batch)
      for (size_t i = 0; i < one.size(); ++i) {
        const at::Tensor gradient =
            decaying(one[i].tensor.sizes(), static_cast<uint64_t>(100 * count + micro_batch));
        known.take(i, gradient);
        unknown.take(i, gradient, /*last=*/micro_batch + 1 == count);
        EXPECT_EQ(unknown.waits(i), micro_batch + 1 < count);
      }
    EXPECT_EQ(known.finish().gradient_norm, unknown.finish().gradient_norm);
  }
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_TRUE(same_bits(one[i].tensor.detach(), two[i].tensor.detach()));
}

// An expert may have tokens in some micro-batches only, and not in the last one.
TEST(TorchOptimizer, ALastGradientMayBeMissing) {
  const auto entries = leaves();
  TorchOptimizer optimizer(entries, small_galore(true));
  const at::Tensor before = entries[1].tensor.detach().clone(),
                   untouched = entries[2].tensor.detach().clone();
  optimizer.begin(0.01, Optimizer::kUnknownMicroBatches);
  optimizer.take(1, decaying({16, 16}, 1));
  optimizer.finish();
  EXPECT_FALSE(at::equal(entries[1].tensor, before));
  EXPECT_TRUE(at::equal(entries[2].tensor, untouched));
}

TEST(TorchOptimizer, FollowsTheStorageOfATensorAndCountsItsVersions) {
  const auto entries = leaves();
  TorchOptimizer optimizer(entries, small_galore(true));
  const at::Tensor tensor = entries[1].tensor, old = tensor.detach();
  tensor.set_data(tensor.detach().clone());
  const at::Tensor before = old.clone();
  const auto version = tensor._version();
  set_gradients(entries, 1);
  optimizer.step(0.01);
  EXPECT_TRUE(at::equal(old, before));
  EXPECT_FALSE(at::equal(tensor, before));
  EXPECT_GT(tensor._version(), version);
  tensor.set_data(tensor.detach().to(at::kBFloat16));
  EXPECT_EQ(
      message_of([&] {
        optimizer.begin(0.01), optimizer.take(1, decaying({16, 16}, 1));
      }),
      "[optimizer] " + std::string(kSquare) + ": expected the type that the tensor had, given BFloat16");
}

TEST(TorchOptimizer, HalfPrecisionIsRoundedOnce) {
  const auto half = leaves(at::kHalf);
  std::vector<TorchOptimizer::Entry> exact = leaves(at::kHalf);
  for (auto& entry : exact) entry.tensor = entry.tensor.detach().to(at::kFloat).set_requires_grad(true);
  TorchOptimizer narrow(half, small_galore(true)), wide(exact, small_galore(true));
  set_gradients(half, 1);
  for (size_t i = 0; i < half.size(); ++i)
    exact[i].tensor.mutable_grad() = half[i].tensor.grad().to(at::kFloat);
  narrow.step(0.01);
  wide.step(0.01);
  for (size_t i = 0; i < half.size(); ++i)
    EXPECT_TRUE(same_bits(half[i].tensor.detach(), exact[i].tensor.detach().to(at::kHalf))) << half[i].name;
}

TEST(TorchOptimizer, RatesAndSettingsAreThoseOfTheGroup) {
  const auto entries = leaves();
  const OptimizerOptions options = grouped_options(
      {{"galore_adamw", "rank=4"}, {"galore_adamw", "rank=2"}},
      {{.name = kSquare, .settings = 1, .targeted = true}, {.name = kTall, .targeted = false}},
      {{"optim_layerwise", "true"}, {"seed", "3"}});
  EXPECT_EQ(options.seed, 3U);
  TorchOptimizer optimizer(entries, options);
  const at::Tensor still = entries[2].tensor.detach().clone();
  optimizer.optimizer().set_rates({{}, {0.01, 0}, {0, 0.5}, {}, {}});
  set_gradients(entries, 1);
  optimizer.step(1);
  EXPECT_TRUE(at::equal(entries[2].tensor, still)) << "its rate is 0";
  const auto state = StateCopy(optimizer.optimizer()).values;
  EXPECT_EQ(state.at(std::string(kSquare) + ".moment1").numel(), 2 * 16);
  EXPECT_EQ(state.at(std::string(kTall) + ".moment1").numel(), 24 * 16) << "not projected";
  EXPECT_EQ(state.at(std::string(kWide) + ".moment1").numel(), 4 * 24);
}

TEST(TorchOptimizer, StateGoesIntoAFreshOptimizer) {
  const auto entries = leaves();
  TorchOptimizer first(entries, small_galore(true)), second(entries, small_galore(true));
  set_gradients(entries, 1);
  first.step(0.01);
  const auto saved = named_state(first.optimizer());
  const auto find = [&](const std::string& name) -> const at::Tensor* {
    for (const auto& [key, value] : saved)
      if (key == name) return &value;
    return nullptr;
  };
  load_named_state(second.optimizer(), at::kCPU, find);
  EXPECT_EQ(StateCopy(first.optimizer()).difference(StateCopy(second.optimizer())), "");
  TorchOptimizer third(entries, small_galore(true));
  EXPECT_EQ(
      message_of([&] { load_named_state(third.optimizer(), at::kCPU, [](const auto&) { return nullptr; }); }),
      "[state] optimizer.num_updates: expected a value, given none");
}

TEST(TorchOptimizer, RefusesGradientsThatAreNotTheTensors) {
  const auto entries = leaves();
  TorchOptimizer optimizer(entries, small_galore(true));
  optimizer.begin(0.01);
  const std::string begin = "[optimizer] " + std::string(kSquare) + ": expected ";
  EXPECT_EQ(message_of([&] { optimizer.take(1, at::zeros({3})); }),
            begin + "a gradient of the tensor's shape, given another shape");
  EXPECT_EQ(message_of([&] {
              optimizer.take(1, at::zeros({16, 16}).to_sparse());
            }),
            begin + "a dense gradient, given a sparse one");
  EXPECT_EQ(message_of([&] {
              optimizer.take(1, at::zeros({16, 16}, at::kLong));
            }),
            begin + "a gradient of real numbers, given Long");
  auto doubled = entries;
  doubled.push_back(entries[0]);
  EXPECT_NE(message_of([&] { TorchOptimizer refused(doubled, small_galore(true)); }).find("occurs twice"),
            std::string::npos);
}

}  // namespace
}  // namespace galore
